// Package convert turns XML into JSON and JSON into XML as the policies xml-to-json and json-to-xml do: by the rules of
// Newtonsoft.Json's converters, attributes as "@name" and text as "#text".
package convert
