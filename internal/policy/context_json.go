package policy

import "tandem/internal/csharp"

// Objects of the context are written as JSON with their properties: JsonConvert.SerializeObject(context.LastError).
var (
	lastErrorShape = &helper{lib: wholeLibrary, typ: "ILastError", src: "@(new { it.Source, it.Reason, it.Message, it.Scope, it.Section, it.Path, it.PolicyId })"}
	groupShape     = &helper{lib: wholeLibrary, typ: "IGroup", src: "@(new { it.Id, it.Name })"}
	apiShape       = &helper{lib: wholeLibrary, typ: "IApi", src: "@(new { it.Id, it.Name, it.Path, it.Revision, it.Version, it.IsCurrentRevision })"}
	operationShape = &helper{lib: wholeLibrary, typ: "IOperation", src: "@(new { it.Id, it.Name, it.Method, it.UrlTemplate })"}
	productShape   = &helper{lib: wholeLibrary, typ: "IProduct", src: "@(new { it.Id, it.Name, it.ApprovalRequired, it.SubscriptionRequired })"}
	userShape      = &helper{lib: wholeLibrary, typ: "IUser", src: "@(new { it.Id, it.FirstName, it.LastName, it.Email, it.Note, it.Groups })"}
)

func wholeLibrary() *csharp.Library {
	lib, _ := library()
	return lib
}

func (h *helper) members(r any) *csharp.Anon {
	v := throwing(h.run(csharp.Ref(r)))
	a, _ := v.R.(*csharp.Anon)
	return a
}

// NetMembers implements dotnet.Serializable.
func (e *LastError) NetMembers() *csharp.Anon { return lastErrorShape.members(e) }

// NetMembers implements dotnet.Serializable.
func (g *GroupInfo) NetMembers() *csharp.Anon { return groupShape.members(g) }

// NetMembers implements dotnet.Serializable.
func (a *APIInfo) NetMembers() *csharp.Anon { return apiShape.members(a) }

// NetMembers implements dotnet.Serializable.
func (o *OperationInfo) NetMembers() *csharp.Anon { return operationShape.members(o) }

// NetMembers implements dotnet.Serializable.
func (p *ProductInfo) NetMembers() *csharp.Anon { return productShape.members(p) }

// NetMembers implements dotnet.Serializable.
func (u *UserInfo) NetMembers() *csharp.Anon { return userShape.members(u) }
