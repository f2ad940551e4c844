package dotnet

import (
	"strings"

	"tandem/internal/csharp"
)

// exceptionNames lists the exceptions that expressions can meet, each after its base.
const exceptionNames = `
SystemException : Exception
ApplicationException : Exception
ArgumentException : SystemException
ArgumentNullException : ArgumentException
ArgumentOutOfRangeException : ArgumentException
ArithmeticException : SystemException
DivideByZeroException : ArithmeticException
OverflowException : ArithmeticException
FormatException : SystemException
UriFormatException : FormatException
IndexOutOfRangeException : SystemException
InvalidCastException : SystemException
InvalidOperationException : SystemException
InvalidTimeZoneException : Exception
NotImplementedException : SystemException
NotSupportedException : SystemException
NullReferenceException : SystemException
OutOfMemoryException : SystemException
RankException : SystemException
TimeoutException : SystemException
TimeZoneNotFoundException : Exception
System.Collections.Generic.KeyNotFoundException : SystemException
System.IO.IOException : SystemException
System.IO.EndOfStreamException : System.IO.IOException
System.Text.DecoderFallbackException : ArgumentException
System.Text.RegularExpressions.RegexMatchTimeoutException : TimeoutException
System.Security.Cryptography.CryptographicException : SystemException
System.Security.SecurityException : SystemException
System.Xml.XmlException : SystemException
Newtonsoft.Json.JsonException : Exception
Newtonsoft.Json.JsonReaderException : Newtonsoft.Json.JsonException
Newtonsoft.Json.JsonSerializationException : Newtonsoft.Json.JsonException
Newtonsoft.Json.JsonWriterException : Newtonsoft.Json.JsonException
`

func exceptionTypes() []def {
	out := []def{{Decl: "extend Exception", Members: append(exceptionMembers("System.Exception"),
		f("string Message", pure(func(a []val) val { return str(self[*csharp.Exception](a).Message()) })),
		f("string StackTrace", pure(func([]val) val { return val{} })),
		f("string Source", pure(func([]val) val { return val{} })),
		f("int HResult", pure(func([]val) val { return num(-2146233088) })),
		f("Exception InnerException", pure(func(a []val) val {
			if e := self[*csharp.Exception](a).Inner; e != nil {
				return ref(e)
			}
			return val{}
		})),
		f("Exception GetBaseException()", pure(func(a []val) val {
			e := self[*csharp.Exception](a)
			for e.Inner != nil {
				e = e.Inner
			}
			return ref(e)
		})),
	)}}
	for line := range strings.Lines(strings.TrimSpace(exceptionNames)) {
		full, base, _ := strings.Cut(strings.TrimSpace(line), " : ")
		name := full[strings.LastIndexByte(full, '.')+1:]
		ns := strings.TrimSuffix(full, "."+name)
		if ns == full {
			ns = system
		}
		members := exceptionMembers(ns + "." + name)
		if strings.HasPrefix(name, "Argument") {
			members = append(members, f("string ParamName", pure(func(a []val) val { return str(self[*csharp.Exception](a).Param) })))
		}
		out = append(out, def{Decl: "class " + name + " : " + base, Namespace: ns, Members: members})
	}
	return out
}

func exceptionMembers(full string) []member {
	short := full[strings.LastIndexByte(full, '.')+1:]
	rows := []member{
		f("new()", pure(func([]val) val {
			return ref(&csharp.Exception{Name: full, Msg: "Exception of type '" + full + "' was thrown."})
		})),
	}
	switch short {
	case "ArgumentNullException":
		return append(rows, f("new(string paramName)", pure(func(a []val) val {
			return ref(&csharp.Exception{Name: full, Msg: "Value cannot be null.", Param: a[0].S})
		})), f("new(string paramName, string message)", pure(func(a []val) val {
			return ref(&csharp.Exception{Name: full, Msg: a[1].S, Param: a[0].S})
		})))
	case "ArgumentOutOfRangeException":
		return append(rows, f("new(string paramName)", pure(func(a []val) val {
			return ref(&csharp.Exception{Name: full, Msg: "Specified argument was out of the range of valid values.", Param: a[0].S})
		})), f("new(string paramName, string message)", pure(func(a []val) val {
			return ref(&csharp.Exception{Name: full, Msg: a[1].S, Param: a[0].S})
		})))
	case "ArgumentException":
		rows = append(rows, f("new(string message, string paramName)", pure(func(a []val) val {
			return ref(&csharp.Exception{Name: full, Msg: a[0].S, Param: a[1].S})
		})))
	}
	return append(rows,
		f("new(string message)", pure(func(a []val) val { return ref(&csharp.Exception{Name: full, Msg: a[0].S}) })),
		f("new(string message, Exception innerException)", pure(func(a []val) val {
			e := &csharp.Exception{Name: full, Msg: a[0].S}
			e.Inner, _ = a[1].R.(*csharp.Exception)
			return ref(e)
		})))
}
