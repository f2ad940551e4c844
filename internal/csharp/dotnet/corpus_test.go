package dotnet_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"tandem/internal/csharp"
)

// hosts are the types of the policy context, with members that do nothing: enough to compile against.
func hosts() []csharp.TypeDef {
	nothing := func(*csharp.Machine, []csharp.Value) csharp.Value { return csharp.Value{} }
	t := func(decl string, sigs ...string) csharp.TypeDef {
		d := csharp.TypeDef{Decl: decl, Is: func(any) bool { return false }}
		for _, s := range sigs {
			d.Members = append(d.Members, csharp.Member{Sig: s, Fn: nothing, Set: nothing})
		}
		return d
	}
	dict := []string{"string[] this[string key]", "bool ContainsKey(string key)", "bool TryGetValue(string key, out string[] value)", "int Count", "IEnumerable<string> Keys",
		"string GetValueOrDefault(string key, string defaultValue = null)"}
	return []csharp.TypeDef{
		t("interface IContext", "IVariables Variables", "IRequest Request", "IResponse Response", "ILastError LastError", "ISubscription Subscription", "IApi Api", "IOperation Operation",
			"IDeployment Deployment", "IUser User", "Guid RequestId", "IProduct Product", "DateTime Timestamp", "TimeSpan Elapsed", "bool Tracing", "void Trace(string message)",
			"IWorkspace Workspace", "IBackend Backend", "IGraphQL GraphQL"),
		t("interface IVariables : IEnumerable<KeyValuePair<string, object>>", "object this[string key]", "bool ContainsKey(string key)", "T GetValueOrDefault<T>(string key, T defaultValue = default)",
			"object GetValueOrDefault(string key, object defaultValue = null)", "bool TryGetValue(string key, out object value)"),
		t("interface IRequest", "IHeaders Headers", "IMessageBody Body", "IUrl Url", "IMatched MatchedParameters", "IUrl OriginalUrl", "string Method", "string IpAddress", "X509Certificate2 Certificate",
			"IFoundry Foundry", "IConnection PrivateEndpointConnection"),
		t("interface IResponse", "int StatusCode", "IMessageBody Body", "IHeaders Headers", "string StatusReason"),
		t("interface IHeaders : IEnumerable<KeyValuePair<string, string[]>>", dict...),
		t("interface IQuery : IEnumerable<KeyValuePair<string, string[]>>", dict...),
		t("interface IMatched", "string this[string key]", "string GetValueOrDefault(string key, string defaultValue = null)", "bool ContainsKey(string key)", "bool TryGetValue(string key, out string value)"),
		t("interface IUrl", "string Path", "IQuery Query", "Uri ToUri()", "string Host", "string Scheme", "int Port", "string QueryString"),
		t("interface IMessageBody", "T As<T>(bool preserveContent = false)", "IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)"),
		t("interface IApi", "string Id", "string Path", "string Revision", "string Name", "IUrl ServiceUrl", "string Version", "bool IsCurrentRevision", "IEnumerable<string> Protocols"),
		t("interface IOperation", "string Id", "string Name", "string Method", "string UrlTemplate"),
		t("interface IProduct", "string Name", "string Id", "bool SubscriptionRequired", "bool ApprovalRequired"),
		t("interface ISubscription", "string Id", "string Name", "string Key", "string PrimaryKey", "string SecondaryKey", "DateTime CreatedDate", "DateTime? EndDate", "DateTime? StartDate"),
		t("interface IUser", "IEnumerable<IGroup> Groups", "string Id", "string Email", "string FirstName", "string LastName", "string Note", "DateTime RegistrationDate", "IEnumerable<IIdentity> Identities"),
		t("interface IIdentity", "string Id", "string Provider"),
		t("interface IGroup", "string Id", "string Name"),
		t("interface IDeployment", "string Region", "IReadOnlyDictionary<string, X509Certificate2> Certificates", "string ServiceName", "IGateway Gateway", "string ServiceId", "string GatewayId"),
		t("interface IGateway", "string Id", "string InstanceId", "bool IsManaged"),
		t("interface ILastError", "string Source", "string Reason", "string Message", "string Section", "string Path", "string Scope", "string PolicyId", "int HttpErrorCode"),
		t("interface IWorkspace", "string Id", "string Name"), t("interface IBackend", "string Id", "string AzureRegion", "string Type"), t("interface IGraphQL", "JObject Parent"),
		t("interface IFoundry", "string Deployment"), t("interface IConnection", "string Name", "string GroupId", "string MemberName"),
		t("class Authorization", "string AccessToken", "IReadOnlyDictionary<string, string> Claims"),
	}
}

// TestCorpus compiles every expression of the corpus of real policies and ranks what is missing.
func TestCorpus(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "policies")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the corpus of policies is not here")
	}
	lib, err := library(t).With(hosts()...)
	if err != nil {
		t.Fatal(err)
	}
	context, _ := lib.Type("IContext")
	options := csharp.Options{Library: lib, Globals: []csharp.Global{{Name: "context", Type: context}}}
	entities := strings.NewReplacer("&quot;", `"`, "&lt;", "<", "&gt;", ">", "&apos;", "'", "&amp;", "&", "&#10;", "\n", "&#13;", "")
	seen, total, compiled, broken := map[string]bool{}, 0, 0, 0
	missing, first := map[string]int{}, map[string]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(data)
		for i := 0; i+1 < len(text); i++ {
			if text[i] != '@' || text[i+1] != '(' && text[i+1] != '{' || i > 0 && strings.IndexByte("\"'> \n\t\r", text[i-1]) < 0 {
				continue
			}
			end, err := csharp.ScanExpression(text, i)
			if err != nil {
				broken++
				t.Logf("not scanned: %s: %v", path, err)
				continue
			}
			src := text[i:end]
			i = end - 1
			if strings.Contains(src, "&quot;") || strings.Contains(src, "&lt;") || strings.Contains(src, "&amp;") || strings.Contains(src, "&gt;") {
				src = entities.Replace(src)
			}
			if seen[src] {
				continue
			}
			seen[src] = true
			total++
			_, err = csharp.Compile(src, options)
			var list csharp.Errors
			if !errors.As(err, &list) {
				compiled++
				continue
			}
			for _, e := range list {
				key := e.Kind + " " + e.Name
				missing[key]++
				if first[key] == "" {
					first[key] = fmt.Sprintf("%s: %s\n      %.300s", filepath.Base(path), e.Message, src)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for k := range missing {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return missing[keys[i]] > missing[keys[j]] })
	t.Logf("expressions: %d unique, %d compiled, %d not scanned", total, compiled, broken)
	for _, k := range keys {
		t.Logf("%4d %s: %s", missing[k], k, first[k])
	}
	if compiled*100 < total*95 {
		t.Errorf("only %d of %d expressions compile", compiled, total)
	}
}
