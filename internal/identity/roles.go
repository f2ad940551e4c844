package identity

// commonReads are the actions that Azure's API Management and network roles have beside their own.
func commonReads() []string {
	return []string{"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*",
		"Microsoft.ResourceHealth/availabilityStatuses/read", "Microsoft.Resources/deployments/*",
		"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*"}
}

func builtIn(id, name, description string, p Permission) RoleDefinition {
	for _, list := range []*[]string{&p.Actions, &p.NotActions, &p.DataActions, &p.NotDataActions} {
		if *list == nil {
			*list = []string{}
		}
	}
	return RoleDefinition{ID: id, Name: name, Description: description, BuiltIn: true, AssignableScopes: []string{"/"}, Permissions: []Permission{p}}
}

func with(own ...string) []string { return append(own, commonReads()...) }

// BuiltInRoles are the roles that exist in every tenant, with Azure's ids and actions (learn.microsoft.com, "Azure built-in
// roles").
func BuiltInRoles() []RoleDefinition {
	const service = "Microsoft.ApiManagement/service/"
	const blobs = "Microsoft.Storage/storageAccounts/blobServices/"
	return []RoleDefinition{
		builtIn("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner",
			"Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.", Permission{Actions: []string{"*"}}),
		builtIn("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor",
			"Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
			Permission{Actions: []string{"*"}, NotActions: []string{"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
				"Microsoft.Authorization/elevateAccess/Action", "Microsoft.Blueprint/blueprintAssignments/write",
				"Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action",
				"Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete"}}),
		builtIn("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader",
			"View all resources, but does not allow you to make any changes.", Permission{Actions: []string{"*/read"}}),
		builtIn("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator",
			"Lets you manage user access to Azure resources.",
			Permission{Actions: []string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}}),
		builtIn("312a565d-c81f-4fd8-895a-4e21e48d571c", "API Management Service Contributor",
			"Can manage service and the APIs", Permission{Actions: with("Microsoft.ApiManagement/service/*")}),
		builtIn("e022efe7-f5ba-4159-bbe4-b44f577e9b61", "API Management Service Operator Role",
			"Can manage service but not the APIs",
			Permission{Actions: with(service+"*/read", service+"backup/action", service+"delete", service+"managedeployments/action",
				service+"read", service+"restore/action", service+"updatecertificate/action", service+"updatehostname/action", service+"write"),
				NotActions: []string{service + "users/keys/read"}}),
		builtIn("71522526-b88f-4d52-b57f-d31fc3546d0d", "API Management Service Reader Role",
			"Read-only access to service and APIs",
			Permission{Actions: with(service+"*/read", service+"read"), NotActions: []string{service + "users/keys/read"}}),
		builtIn("c031e6a8-4391-4de0-8d69-4706a7ed3729", "API Management Developer Portal Content Editor",
			"Can customize the developer portal, edit its content, and publish it.",
			Permission{Actions: []string{service + "portalRevisions/read", service + "portalRevisions/write", service + "contentTypes/read",
				service + "contentTypes/delete", service + "contentTypes/write", service + "contentTypes/contentItems/read",
				service + "contentTypes/contentItems/write", service + "contentTypes/contentItems/delete"}}),
		builtIn("a4b10055-b0c7-44c2-b00f-c7b5b3550cf7", "Traffic Manager Contributor",
			"Lets you manage Traffic Manager profiles, but does not let you control who has access to them.",
			Permission{Actions: with("Microsoft.Network/trafficManagerProfiles/*")}),
		builtIn("ba92f5b4-2d11-453d-a403-e96b0029c9fe", "Storage Blob Data Contributor",
			"Allows for read, write and delete access to Azure Storage blob containers and data",
			Permission{Actions: []string{blobs + "containers/delete", blobs + "containers/read", blobs + "containers/write", blobs + "generateUserDelegationKey/action"},
				DataActions: []string{blobs + "containers/blobs/delete", blobs + "containers/blobs/read", blobs + "containers/blobs/write",
					blobs + "containers/blobs/move/action", blobs + "containers/blobs/add/action"}}),
		builtIn("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "Storage Blob Data Reader",
			"Allows for read access to Azure Storage blob containers and data",
			Permission{Actions: []string{blobs + "containers/read", blobs + "generateUserDelegationKey/action"},
				DataActions: []string{blobs + "containers/blobs/read"}}),
		builtIn("17d1049b-9a84-46fb-8f53-869881c3d3ab", "Storage Account Contributor",
			"Lets you manage storage accounts, including accessing storage account keys which provide full access to storage account data.",
			Permission{Actions: with("Microsoft.Insights/diagnosticSettings/*",
				"Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action", "Microsoft.Storage/storageAccounts/*")}),
		builtIn("81a9662b-bebf-436f-a333-f67b29880f12", "Storage Account Key Operator Service Role",
			"Storage Account Key Operators are allowed to list and regenerate keys on Storage Accounts",
			Permission{Actions: []string{"Microsoft.Storage/storageAccounts/listkeys/action", "Microsoft.Storage/storageAccounts/regeneratekey/action"}}),
		builtIn("87a39d53-fc1b-424a-814c-f7e04687dc9e", "Logic App Contributor",
			"Lets you manage logic app, but not access to them.", Permission{Actions: with("Microsoft.Logic/*")}),
	}
}
