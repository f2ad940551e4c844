package policy

import (
	"slices"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/exchange"
)

// contextTypes declares the context object's types: policy expressions documentation, "Context variable".
func contextTypes() []csharp.TypeDef {
	return slices.Concat(contextRoot, contextMessages, contextParameters, contextInfos, contextTokens)
}

// member makes a getter over a receiver of Go type T.
func member[T any](sig string, get func(T) csharp.Value) csharp.Member {
	return csharp.Member{Sig: sig, Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value { return get(a[0].R.(T)) }}
}

// text is a .NET string; "" of an optional field is null.
func netString(s string) csharp.Value { return csharp.String(s) }

func orNull(s string) csharp.Value {
	if s == "" {
		return csharp.Value{}
	}
	return csharp.String(s)
}

// ref is a reference that is null when p is nil.
func ref[T any](p *T) csharp.Value {
	if p == nil {
		return csharp.Value{}
	}
	return csharp.Ref(p)
}

const ticksAtUnix = 621355968000000000

// ticks are a time's 100 ns since year 1, in UTC, marked as UTC.
func ticks(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(ticksAtUnix+t.Unix()*10_000_000+int64(t.Nanosecond()/100)) | 1<<62
}

func dateTime(t time.Time) csharp.Value { return csharp.Value{N: ticks(t)} }

func nullableTime(t time.Time) csharp.Value {
	if t.IsZero() {
		return csharp.Value{}
	}
	return csharp.Ref(csharp.DateTime(ticks(t)))
}

// Views of a State as the objects of the context. They are the State itself under another name, so that
// context.Request.Headers costs no allocation.
type (
	requestView   State
	responseView  State
	variablesView State
	backendView   State
)

var contextRoot = []csharp.TypeDef{
	{Decl: "interface IProxyRequestContext", Is: is[*State], Members: []csharp.Member{
		member("IApi Api", func(s *State) csharp.Value { return ref(s.API) }),
		member("IBackend Backend", func(s *State) csharp.Value {
			if s.BackendID == "" {
				return csharp.Value{}
			}
			return csharp.Ref((*backendView)(s))
		}),
		member("IDeployment Deployment", func(s *State) csharp.Value { return csharp.Ref((*deploymentView)(s)) }),
		member("TimeSpan Elapsed", func(s *State) csharp.Value { return csharp.Long(int64(s.Now().Sub(s.Start) / 100)) }),
		member("IGraphQLContext GraphQL", func(s *State) csharp.Value { return ref(s.GraphQL) }),
		member("ILastError LastError", func(s *State) csharp.Value { return ref(s.LastError) }),
		member("IOperation Operation", func(s *State) csharp.Value { return ref(s.Operation) }),
		member("IProduct Product", func(s *State) csharp.Value { return ref(s.Product) }),
		member("IRequest Request", func(s *State) csharp.Value { return csharp.Ref((*requestView)(s)) }),
		member("Guid RequestId", func(s *State) csharp.Value { return csharp.GuidOf(netGuid(s.RequestID)) }),
		member("IResponse Response", func(s *State) csharp.Value {
			if s.noResponse {
				return csharp.Value{}
			}
			return csharp.Ref((*responseView)(s))
		}),
		member("ISubscription Subscription", func(s *State) csharp.Value { return ref(s.Subscription) }),
		member("DateTime Timestamp", func(s *State) csharp.Value { return dateTime(s.Start) }),
		member("bool Tracing", func(s *State) csharp.Value { return csharp.Boolean(s.Tracing) }),
		member("IUser User", func(s *State) csharp.Value { return ref(s.User) }),
		member("IVariables Variables", func(s *State) csharp.Value { return csharp.Ref((*variablesView)(s)) }),
		member("IWorkspace Workspace", func(s *State) csharp.Value { return ref(s.Workspace) }),
		{Sig: "void Trace(string message)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			a[0].R.(*State).trace(a[1].S)
			return csharp.Value{}
		}},
	}},
	{Decl: "interface IVariables : IEnumerable<KeyValuePair<string, object>>", Is: is[*variablesView], Members: []csharp.Member{
		{Sig: "object this[string key]", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			v, ok := a[0].R.(*variablesView).vars.get(a[1].S)
			if !ok {
				missingKey()
			}
			return csharp.Ref(v)
		}},
		{Sig: "bool ContainsKey(string key)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			_, ok := a[0].R.(*variablesView).vars.get(a[1].S)
			return csharp.Boolean(ok)
		}},
		{Sig: "bool TryGetValue(string key, out object value)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			v, ok := a[0].R.(*variablesView).vars.get(a[1].S)
			a[2] = csharp.Ref(v)
			return csharp.Boolean(ok)
		}},
		{Sig: "object GetValueOrDefault(string key)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			v, _ := a[0].R.(*variablesView).vars.get(a[1].S)
			return csharp.Ref(v)
		}},
		{Sig: "T GetValueOrDefault<T>(string key)", Make: func(t []*csharp.Type) csharp.Fn {
			return func(m *csharp.Machine, a []csharp.Value) csharp.Value {
				v, ok := a[0].R.(*variablesView).vars.get(a[1].S)
				if !ok || v == nil {
					return csharp.Value{}
				}
				return m.Library().Unbox(v, t[0])
			}
		}},
		{Sig: "T GetValueOrDefault<T>(string key, T defaultValue)", Make: func(t []*csharp.Type) csharp.Fn {
			return func(m *csharp.Machine, a []csharp.Value) csharp.Value {
				v, ok := a[0].R.(*variablesView).vars.get(a[1].S)
				if !ok {
					return a[2]
				}
				if v == nil {
					return csharp.Value{}
				}
				return m.Library().Unbox(v, t[0])
			}
		}},
		member("int Count", func(s *variablesView) csharp.Value { return csharp.Int(len(s.vars.list)) }),
		member("IEnumerable<string> Keys", func(s *variablesView) csharp.Value {
			var names []string
			for _, v := range s.vars.list {
				names = append(names, v.name)
			}
			return csharp.Strings(names)
		}),
	}},
	{Decl: "interface ILastError", Is: is[*LastError], Members: []csharp.Member{
		member("string Source", func(e *LastError) csharp.Value { return orNull(e.Source) }),
		member("string Reason", func(e *LastError) csharp.Value { return orNull(e.Reason) }),
		member("string Message", func(e *LastError) csharp.Value { return orNull(e.Message) }),
		member("string Scope", func(e *LastError) csharp.Value { return orNull(string(e.Scope)) }),
		member("string Section", func(e *LastError) csharp.Value { return orNull(string(e.Section)) }),
		member("string Path", func(e *LastError) csharp.Value { return orNull(e.Path) }),
		member("string PolicyId", func(e *LastError) csharp.Value { return orNull(e.PolicyID) }),
	}},
	{Decl: "interface IBackend", Is: is[*backendView], Members: []csharp.Member{
		member("string Id", func(s *backendView) csharp.Value { return orNull(s.BackendID) }),
		member("string AzureRegion", func(s *backendView) csharp.Value { return orNull((*State)(s).backendInfo().AzureRegion) }),
		member("string Type", func(s *backendView) csharp.Value {
			if (*State)(s).backendInfo().Pool {
				return netString("Pool")
			}
			return netString("Single")
		}),
	}},
}

func is[T any](r any) bool {
	_, ok := r.(T)
	return ok
}

func missingKey() {
	csharp.Throw("System.Collections.Generic.KeyNotFoundException", "The given key was not present in the dictionary.")
}

// netGuid turns the written order of a GUID's bytes into that of ToByteArray: its first three numbers are little-endian.
func netGuid(b [16]byte) [16]byte {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

func (s *State) backendInfo() BackendInfo {
	if s.Host.Backends != nil {
		if b, ok := s.Host.Backends.Backend(s.BackendID); ok {
			return b
		}
	}
	return BackendInfo{ID: s.BackendID}
}

// newURL makes an IUrl.
func newURL(u exchange.URL) csharp.Value { return csharp.Ref(&urlObject{u}) }
