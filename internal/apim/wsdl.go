package apim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// wsdl is what is read of a WSDL 1.1 document (W3C Note, 15 March 2001).
type wsdl struct {
	XMLName         xml.Name
	Name            string `xml:"name,attr"`
	TargetNamespace string `xml:"targetNamespace,attr"`
	Documentation   string `xml:"documentation"`
	Types           struct {
		Schemas []struct {
			Attrs []xml.Attr `xml:",any,attr"`
			Inner string     `xml:",innerxml"`
		} `xml:"schema"`
	} `xml:"types"`
	PortTypes []struct {
		Name       string `xml:"name,attr"`
		Operations []struct {
			Name          string `xml:"name,attr"`
			Documentation string `xml:"documentation"`
		} `xml:"operation"`
	} `xml:"portType"`
	Bindings []struct {
		Name       string `xml:"name,attr"`
		Type       string `xml:"type,attr"`
		Operations []struct {
			Name string `xml:"name,attr"`
			Soap struct {
				Action string `xml:"soapAction,attr"`
			} `xml:"operation"`
		} `xml:"operation"`
	} `xml:"binding"`
	Services []struct {
		Name  string `xml:"name,attr"`
		Ports []struct {
			Name    string `xml:"name,attr"`
			Binding string `xml:"binding,attr"`
			Address struct {
				Location string `xml:"location,attr"`
			} `xml:"address"`
		} `xml:"port"`
	} `xml:"service"`
}

// importWSDL makes a SOAP API that is passed through: one operation for each of the port's, told apart by SOAPAction.
func importWSDL(w *Write, content []byte, _ string) (*imported, error) {
	if kind, _ := w.Sent["apiType"].(string); strings.EqualFold(kind, "http") {
		return nil, errors.New("line 1: SOAP is not turned into REST; import it with apiType soap, which passes it through")
	}
	return readWSDL(content, asString(lookup(w.Sent, "wsdlSelector.wsdlServiceName")), asString(lookup(w.Sent, "wsdlSelector.wsdlEndpointName")))
}

// readXML decodes a document strictly; errors tell the line.
func readXML(content []byte, root string, into any, name func() string) error {
	dec := xml.NewDecoder(bytes.NewReader(content))
	if err := dec.Decode(into); err != nil {
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("line %d: %s", syntax.Line, syntax.Msg)
		}
		line, column := dec.InputPos()
		return fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	if name() != root {
		return fmt.Errorf("line 1: the document's element is <%s>, not <%s>", name(), root)
	}
	return nil
}

func readWSDL(content []byte, service, endpoint string) (*imported, error) {
	var d wsdl
	if err := readXML(content, "definitions", &d, func() string { return d.XMLName.Local }); err != nil {
		return nil, err
	}
	for _, s := range d.Services {
		if service != "" && s.Name != service {
			continue
		}
		for _, port := range s.Ports {
			if endpoint == "" || port.Name == endpoint {
				return d.port(s.Name, localName(port.Binding), port.Address.Location)
			}
		}
	}
	return nil, fmt.Errorf("line 1: the document has no service %q with an endpoint %q; name them in wsdlSelector", service, endpoint)
}

func localName(q string) string { return q[strings.LastIndexByte(q, ':')+1:] }

func (d *wsdl) port(service, binding, address string) (*imported, error) {
	got := &imported{properties: map[string]any{"displayName": service, "type": "soap", "description": strings.TrimSpace(d.Documentation)}}
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		got.properties["serviceUrl"], got.properties["protocols"] = strings.TrimSuffix(address, "/"), []any{strings.ToLower(scheme)}
	}
	for i, s := range d.Types.Schemas {
		var attrs strings.Builder
		for _, a := range s.Attrs {
			name := a.Name.Local
			if a.Name.Space == "xmlns" {
				name = "xmlns:" + name
			}
			attrs.WriteString(" " + name + `="` + escapeXML(a.Value) + `"`)
		}
		if !strings.Contains(attrs.String(), `"http://www.w3.org/2001/XMLSchema"`) {
			attrs.WriteString(` xmlns="http://www.w3.org/2001/XMLSchema"`)
		}
		prefix := "" // the elements inside keep the prefix that the document bound around them
		for _, p := range []string{"xs", "xsd", "s"} {
			if strings.Contains(s.Inner, "<"+p+":") {
				prefix = p + ":"
				if !strings.Contains(attrs.String(), "xmlns:"+p+"=") {
					attrs.WriteString(` xmlns:` + p + `="http://www.w3.org/2001/XMLSchema"`)
				}
				break
			}
		}
		text := "<" + prefix + "schema" + attrs.String() + ">" + s.Inner + "</" + prefix + "schema>"
		if len(text) > largestSchemas {
			return nil, fmt.Errorf("line 1: schema %d of types has %d bytes; one schema may have %d", i+1, len(text), largestSchemas)
		}
		got.schemas = append(got.schemas, importedChild{name: fmt.Sprintf("types-%d", i+1),
			properties: map[string]any{"contentType": "application/vnd.ms-azure-apim.xsd+xml", "document": map[string]any{"value": text}}})
	}
	used := map[string]bool{}
	for _, b := range d.Bindings {
		if b.Name != binding {
			continue
		}
		for _, op := range b.Operations {
			got.operations = append(got.operations, importedChild{name: uniqueName(used, op.Name), properties: map[string]any{
				"displayName": op.Name, "method": "POST", "urlTemplate": "/?soapAction=" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(op.Soap.Action), "description": d.documentation(localName(b.Type), op.Name),
				"templateParameters": []any{}, "request": map[string]any{"representations": []any{map[string]any{"contentType": "text/xml"}}, "headers": []any{}, "queryParameters": []any{}},
				"responses": []any{map[string]any{"statusCode": 200, "representations": []any{map[string]any{"contentType": "text/xml"}}, "headers": []any{}}}}})
		}
	}
	if len(got.operations) == 0 {
		return nil, fmt.Errorf("line 1: the binding %q has no operations", binding)
	}
	return got, nil
}

func (d *wsdl) documentation(portType, operation string) string {
	for _, p := range d.PortTypes {
		for _, op := range p.Operations {
			if p.Name == portType && op.Name == operation {
				return strings.TrimSpace(op.Documentation)
			}
		}
	}
	return ""
}

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
