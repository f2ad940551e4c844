package policy

import (
	"sync"

	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
	"tandem/internal/exchange"
)

type deploymentView State

func (v *deploymentView) info() *DeploymentInfo {
	if v.Deployment == nil {
		return &DeploymentInfo{}
	}
	return v.Deployment
}

// listOf makes a sequence of objects.
func listOf[T any](list []T) csharp.Value {
	return csharp.Ref(csharp.SeqFunc(func(*csharp.Machine) func() (csharp.Value, bool) {
		i := 0
		return func() (csharp.Value, bool) {
			if i == len(list) {
				return csharp.Value{}, false
			}
			i++
			return csharp.Ref(&list[i-1]), true
		}
	}))
}

var contextInfos = []csharp.TypeDef{
	{Decl: "interface IApi", Is: is[*APIInfo], Members: []csharp.Member{
		member("string Id", func(a *APIInfo) csharp.Value { return orNull(a.ID) }),
		member("string Name", func(a *APIInfo) csharp.Value { return orNull(a.Name) }),
		member("string Path", func(a *APIInfo) csharp.Value { return netString(a.Path) }),
		member("string Revision", func(a *APIInfo) csharp.Value { return orNull(a.Revision) }),
		member("string Version", func(a *APIInfo) csharp.Value { return orNull(a.Version) }),
		member("bool IsCurrentRevision", func(a *APIInfo) csharp.Value { return csharp.Boolean(a.Current) }),
		member("IUrl ServiceUrl", func(a *APIInfo) csharp.Value {
			if a.ServiceURL == (exchange.URL{}) {
				return csharp.Value{}
			}
			return newURL(a.ServiceURL)
		}),
		member("IEnumerable<string> Protocols", func(a *APIInfo) csharp.Value { return csharp.Strings(a.Protocols) }),
		member("ISubscriptionKeyParameterNames SubscriptionKeyParameterNames", func(a *APIInfo) csharp.Value { return csharp.Ref((*keyNames)(a)) }),
	}},
	{Decl: "interface ISubscriptionKeyParameterNames", Is: is[*keyNames], Members: []csharp.Member{
		member("string Header", func(k *keyNames) csharp.Value { return orNull(k.KeyHeader) }),
		member("string Query", func(k *keyNames) csharp.Value { return orNull(k.KeyQuery) }),
	}},
	{Decl: "interface IOperation", Is: is[*OperationInfo], Members: []csharp.Member{
		member("string Id", func(o *OperationInfo) csharp.Value { return orNull(o.ID) }),
		member("string Name", func(o *OperationInfo) csharp.Value { return orNull(o.Name) }),
		member("string Method", func(o *OperationInfo) csharp.Value { return orNull(o.Method) }),
		member("string UrlTemplate", func(o *OperationInfo) csharp.Value { return orNull(o.URLTemplate) }),
	}},
	{Decl: "enum ProductState", Values: []string{"NotPublished", "Published"}},
	{Decl: "interface IProduct", Is: is[*ProductInfo], Members: []csharp.Member{
		member("string Id", func(p *ProductInfo) csharp.Value { return orNull(p.ID) }),
		member("string Name", func(p *ProductInfo) csharp.Value { return orNull(p.Name) }),
		member("bool ApprovalRequired", func(p *ProductInfo) csharp.Value { return csharp.Boolean(p.ApprovalRequired) }),
		member("bool SubscriptionRequired", func(p *ProductInfo) csharp.Value { return csharp.Boolean(p.SubscriptionRequired) }),
		member("Nullable<int> SubscriptionsLimit", subscriptionsLimit),
		member("Nullable<int> SubscriptionLimit", subscriptionsLimit),
		member("ProductState State", func(p *ProductInfo) csharp.Value {
			if p.State == "Published" {
				return csharp.Value{N: 1}
			}
			return csharp.Value{}
		}),
		member("IEnumerable<IGroup> Groups", func(p *ProductInfo) csharp.Value { return listOf(p.Groups) }),
		member("IEnumerable<IApi> Apis", func(p *ProductInfo) csharp.Value {
			list := make([]APIInfo, len(p.APIs))
			for i, a := range p.APIs {
				list[i] = *a
			}
			return listOf(list)
		}),
	}},
	{Decl: "interface IGroup", Is: is[*GroupInfo], Members: []csharp.Member{
		member("string Id", func(g *GroupInfo) csharp.Value { return orNull(g.ID) }),
		member("string Name", func(g *GroupInfo) csharp.Value { return orNull(g.Name) }),
	}},
	{Decl: "interface ISubscription", Is: is[*SubscriptionInfo], Members: []csharp.Member{
		member("string Id", func(s *SubscriptionInfo) csharp.Value { return orNull(s.ID) }),
		member("string Name", func(s *SubscriptionInfo) csharp.Value { return orNull(s.Name) }),
		member("string Key", func(s *SubscriptionInfo) csharp.Value { return orNull(s.Key) }),
		member("string PrimaryKey", func(s *SubscriptionInfo) csharp.Value { return orNull(s.PrimaryKey) }),
		member("string SecondaryKey", func(s *SubscriptionInfo) csharp.Value { return orNull(s.SecondaryKey) }),
		member("DateTime CreatedDate", func(s *SubscriptionInfo) csharp.Value { return dateTime(s.Created) }),
		member("DateTime CreatedTime", func(s *SubscriptionInfo) csharp.Value { return dateTime(s.Created) }),
		member("Nullable<DateTime> StartDate", func(s *SubscriptionInfo) csharp.Value { return nullableTime(s.Start) }),
		member("Nullable<DateTime> EndDate", func(s *SubscriptionInfo) csharp.Value { return nullableTime(s.End) }),
	}},
	{Decl: "interface IUser", Is: is[*UserInfo], Members: []csharp.Member{
		member("string Id", func(u *UserInfo) csharp.Value { return orNull(u.ID) }),
		member("string FirstName", func(u *UserInfo) csharp.Value { return orNull(u.FirstName) }),
		member("string LastName", func(u *UserInfo) csharp.Value { return orNull(u.LastName) }),
		member("string Email", func(u *UserInfo) csharp.Value { return orNull(u.Email) }),
		member("string Note", func(u *UserInfo) csharp.Value { return orNull(u.Note) }),
		member("DateTime RegistrationDate", func(u *UserInfo) csharp.Value { return dateTime(u.Registered) }),
		member("IEnumerable<IGroup> Groups", func(u *UserInfo) csharp.Value { return listOf(u.Groups) }),
		member("IEnumerable<IUserIdentity> Identities", func(u *UserInfo) csharp.Value { return listOf(u.Identities) }),
	}},
	{Decl: "interface IUserIdentity", Is: is[*IdentityInfo], Members: []csharp.Member{
		member("string Id", func(i *IdentityInfo) csharp.Value { return orNull(i.ID) }),
		member("string Provider", func(i *IdentityInfo) csharp.Value { return orNull(i.Provider) }),
	}},
	{Decl: "interface IWorkspace", Is: is[*WorkspaceInfo], Members: []csharp.Member{
		member("string Id", func(w *WorkspaceInfo) csharp.Value { return orNull(w.ID) }),
		member("string Name", func(w *WorkspaceInfo) csharp.Value { return orNull(w.Name) }),
	}},
	{Decl: "interface IDeployment", Is: is[*deploymentView], Members: []csharp.Member{
		member("string Region", func(v *deploymentView) csharp.Value { return orNull(v.info().Region) }),
		member("string ServiceId", func(v *deploymentView) csharp.Value { return orNull(v.info().ServiceID) }),
		member("string ServiceName", func(v *deploymentView) csharp.Value { return orNull(v.info().ServiceName) }),
		member("string GatewayId", func(v *deploymentView) csharp.Value { return orNull(v.info().GatewayID) }),
		member("IGateway Gateway", func(v *deploymentView) csharp.Value { return csharp.Ref(v.info()) }),
		member("IReadOnlyDictionary<string, X509Certificate2> Certificates", func(v *deploymentView) csharp.Value { return (*State)(v).netCertificates() }),
		member("ISustainabilityInfo SustainabilityInfo", func(*deploymentView) csharp.Value { return csharp.Value{} }),
	}},
	{Decl: "interface ISustainabilityInfo", Members: []csharp.Member{
		member("string CurrentCarbonIntensity", func(any) csharp.Value { return csharp.Value{} }),
	}},
	{Decl: "interface IGateway", Is: is[*DeploymentInfo], Members: []csharp.Member{
		member("string Id", func(d *DeploymentInfo) csharp.Value { return orNull(d.GatewayID) }),
		member("string InstanceId", func(d *DeploymentInfo) csharp.Value { return orNull(d.InstanceID) }),
		member("bool IsManaged", func(d *DeploymentInfo) csharp.Value { return csharp.Boolean(d.Managed) }),
	}},
	{Decl: "interface IGraphQLContext", Is: is[*GraphQLInfo], Members: []csharp.Member{
		member("JObject Arguments", func(g *GraphQLInfo) csharp.Value { return jsonOrNull(g.Arguments) }),
		member("JObject GraphQLArguments", func(g *GraphQLInfo) csharp.Value { return jsonOrNull(g.Arguments) }),
		member("JObject Parent", func(g *GraphQLInfo) csharp.Value { return jsonOrNull(g.Parent) }),
		member("JToken ParentResult", func(g *GraphQLInfo) csharp.Value { return jsonOrNull(g.Parent) }),
	}},
}

type keyNames APIInfo

func subscriptionsLimit(p *ProductInfo) csharp.Value {
	if p.SubscriptionsLimit == nil {
		return csharp.Value{}
	}
	return csharp.Ref(int32(*p.SubscriptionsLimit))
}

// netCertificates gives the service's certificates by their ids.
func (s *State) netCertificates() csharp.Value {
	d := dotnet.NewDict(csharp.StringT, certificateType(), false)
	if h := s.Host.Certificates; h != nil {
		for _, id := range h.IDs() {
			c, ok := h.ByID(id)
			if leaf := leafOf(c); ok && leaf != nil {
				d.Set(netString(id), netCertificate(leaf, c.PrivateKey))
			}
		}
	}
	return csharp.Ref(d)
}

var certificateType = sync.OnceValue(func() *csharp.Type {
	t, err := baseLibrary().Type("X509Certificate2")
	if err != nil {
		return csharp.Object
	}
	return t
})

func jsonOrNull(b []byte) csharp.Value {
	if len(b) == 0 {
		return csharp.Value{}
	}
	return throwing(parseObject.run(netString(string(b))))
}

// throwing passes a helper's exception on to the calling expression.
func throwing(v csharp.Value, err error) csharp.Value {
	if err != nil {
		panic(err)
	}
	return v
}
