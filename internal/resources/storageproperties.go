package resources

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tandem/internal/arm"
)

// accountProperties are the properties of a storage account that clients send, each with the values that this server
// honours; what is not in the table is refused, so that nobody believes in a setting that does nothing (law 10). A path
// without values takes any: it concerns what is not served here.
func accountProperties() map[string][]any {
	return map[string][]any{
		"accesstier":                   {"Hot", "Cool", "Cold"},
		"supportshttpstrafficonly":     {true},
		"minimumtlsversion":            {"TLS1_2"},
		"allowblobpublicaccess":        {false},
		"allowsharedkeyaccess":         {true},
		"publicnetworkaccess":          {"Enabled"},
		"networkacls/defaultaction":    {"Allow"},
		"networkacls/bypass":           nil,
		"encryption/keysource":         {"Microsoft.Storage"},
		"encryption/services":          nil,
		"ishnsenabled":                 {false},
		"isnfsv3enabled":               {false},
		"issftpenabled":                {false},
		"islocaluserenabled":           nil,
		"defaulttooauthauthentication": {false},
		"allowcrosstenantreplication":  nil,
		"largefilesharesstate":         nil,
		"dnsendpointtype":              {"Standard"},
	}
}

// checkAccountProperties walks the properties of a request.
func checkAccountProperties(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var properties map[string]any
	if err := arm.DecodeJSON(raw, &properties); err != nil {
		return err
	}
	return checkMembers("", properties, accountProperties())
}

func checkMembers(path string, members map[string]any, table map[string][]any) error {
	for name, value := range members {
		at := path + lower(name)
		list, isList := value.([]any)
		values, known := table[at]
		switch {
		case value == nil, isList && len(list) == 0:
		case known && (values == nil || slices.ContainsFunc(values, func(v any) bool { return strings.EqualFold(fmt.Sprint(v), fmt.Sprint(value)) })):
		case known:
			return arm.Errorf(http.StatusBadRequest, "FeatureNotSupportedForAccount",
				"The value '%v' of the property '%s' is not supported here. Supported: %v.", value, path+name, values)
		default:
			if object, ok := value.(map[string]any); ok {
				if err := checkMembers(at+"/", object, table); err != nil {
					return err
				}
				continue
			}
			return arm.Errorf(http.StatusBadRequest, "FeatureNotSupportedForAccount", "The property '%s' is not supported here; leave it out.", path+name)
		}
	}
	return nil
}
