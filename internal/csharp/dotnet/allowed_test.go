package dotnet_test

import (
	"strings"
	"sync"
	"testing"

	"tandem/internal/csharp"
)

// allowed are the types of Microsoft's list for policy expressions, generic ones with arguments.
const allowed = `Newtonsoft.Json.Formatting Newtonsoft.Json.JsonConvert Newtonsoft.Json.Linq.Extensions Newtonsoft.Json.Linq.JArray Newtonsoft.Json.Linq.JConstructor
Newtonsoft.Json.Linq.JContainer Newtonsoft.Json.Linq.JObject Newtonsoft.Json.Linq.JProperty Newtonsoft.Json.Linq.JRaw Newtonsoft.Json.Linq.JToken
Newtonsoft.Json.Linq.JTokenType Newtonsoft.Json.Linq.JValue System.Array System.BitConverter System.Boolean System.Byte System.Char System.Convert System.DateTime
System.DateTimeKind System.DateTimeOffset System.Decimal System.Double System.Enum System.Exception System.Guid System.Int16 System.Int32 System.Int64 System.Math
System.MidpointRounding System.Nullable<int> System.Random System.SByte System.Single System.String System.StringComparer System.StringComparison
System.StringSplitOptions System.TimeSpan System.TimeZone System.TimeZoneInfo System.Tuple System.UInt16 System.UInt32 System.UInt64 System.Uri System.UriPartial
System.Collections.Generic.Dictionary<int,int> System.Collections.Generic.HashSet<int> System.Collections.Generic.ICollection<int>
System.Collections.Generic.IDictionary<int,int> System.Collections.Generic.IEnumerable<int> System.Collections.Generic.IEnumerator<int>
System.Collections.Generic.IList<int> System.Collections.Generic.IReadOnlyCollection<int> System.Collections.Generic.IReadOnlyDictionary<int,int>
System.Collections.Generic.ISet<int> System.Collections.Generic.KeyValuePair<int,int> System.Collections.Generic.List<int> System.Collections.Generic.Queue<int>
System.Collections.Generic.Stack<int> System.IO.StringReader System.IO.StringWriter System.Linq.Enumerable System.Net.IPAddress System.Net.WebUtility
System.Security.Cryptography.AsymmetricAlgorithm System.Security.Cryptography.CipherMode System.Security.Cryptography.HashAlgorithm
System.Security.Cryptography.HashAlgorithmName System.Security.Cryptography.HMAC System.Security.Cryptography.HMACMD5 System.Security.Cryptography.HMACSHA1
System.Security.Cryptography.HMACSHA256 System.Security.Cryptography.HMACSHA384 System.Security.Cryptography.HMACSHA512
System.Security.Cryptography.KeyedHashAlgorithm System.Security.Cryptography.MD5 System.Security.Cryptography.Oid System.Security.Cryptography.PaddingMode
System.Security.Cryptography.RNGCryptoServiceProvider System.Security.Cryptography.RSA System.Security.Cryptography.RSAEncryptionPadding
System.Security.Cryptography.RSASignaturePadding System.Security.Cryptography.SHA1 System.Security.Cryptography.SHA1Managed System.Security.Cryptography.SHA256
System.Security.Cryptography.SHA256Managed System.Security.Cryptography.SHA384 System.Security.Cryptography.SHA384Managed System.Security.Cryptography.SHA512
System.Security.Cryptography.SHA512Managed System.Security.Cryptography.SymmetricAlgorithm System.Security.Cryptography.X509Certificates.PublicKey
System.Security.Cryptography.X509Certificates.RSACertificateExtensions System.Security.Cryptography.X509Certificates.X500DistinguishedName
System.Security.Cryptography.X509Certificates.X509Certificate System.Security.Cryptography.X509Certificates.X509Certificate2
System.Security.Cryptography.X509Certificates.X509ContentType System.Security.Cryptography.X509Certificates.X509NameType System.Text.Encoding
System.Text.StringBuilder System.Text.RegularExpressions.Capture System.Text.RegularExpressions.CaptureCollection System.Text.RegularExpressions.Group
System.Text.RegularExpressions.GroupCollection System.Text.RegularExpressions.Match System.Text.RegularExpressions.Regex System.Text.RegularExpressions.RegexOptions
System.Xml.Linq.Extensions System.Xml.Linq.XAttribute System.Xml.Linq.XCData System.Xml.Linq.XComment System.Xml.Linq.XContainer System.Xml.Linq.XDeclaration
System.Xml.Linq.XDocument System.Xml.Linq.XDocumentType System.Xml.Linq.XElement System.Xml.Linq.XName System.Xml.Linq.XNamespace System.Xml.Linq.XNode
System.Xml.Linq.XNodeDocumentOrderComparer System.Xml.Linq.XNodeEqualityComparer System.Xml.Linq.XObject System.Xml.Linq.XProcessingInstruction
System.Xml.Linq.XText System.Xml.XmlNodeType`

// refused are the types of the list that are not offered: no real policy is known to use them. Naming one is an
// "unsupported" error when the policy is loaded.
const refused = ` Newtonsoft.Json.Linq.JConstructor System.TimeZone System.Xml.Linq.XDocumentType System.Xml.Linq.XNodeDocumentOrderComparer `

func TestAllowedTypes(t *testing.T) {
	lib := library(t)
	for _, name := range strings.Fields(allowed) {
		_, err := lib.Type(name)
		if strings.Contains(refused, " "+name+" ") {
			if err == nil {
				t.Errorf("%s is offered; take it off the list of refused types", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRunInParallel runs one program from many goroutines; the race detector watches.
func TestRunInParallel(t *testing.T) {
	p, err := csharp.Compile(`@{ var s = 0; foreach (var x in new[] { 3, 1, 2 }.OrderBy(x => x).Select(x => x + s)) { s += x; }
		try { int.Parse("x"); } catch (FormatException) { s++; } return $"{s:D2}" + JObject.Parse("{\"a\":1}").ToString().Length; }`, csharp.Options{Library: library(t)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				v, err := p.Run(&csharp.Env{})
				if err != nil || !strings.HasSuffix(v.S, "14") {
					t.Errorf("got %q, %v", v.S, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
