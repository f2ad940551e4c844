package arm

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// checkVersion asks for an api-version and refuses one that is no version, or that the type does not list.
func checkVersion(b *boundRoute, version string) error {
	if b != nil && b.AnyVersion {
		return nil
	}
	if version == "" {
		return Errorf(http.StatusBadRequest, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all requests.")
	}
	var known []string
	if b != nil && b.info != nil {
		known = b.info.APIVersions
	}
	if !dateShaped(version) {
		return Errorf(http.StatusBadRequest, "InvalidApiVersionParameter",
			"The api-version '%s' is invalid. The supported versions are '%s'.", version, strings.Join(known, ","))
	}
	if b == nil || b.info == nil || b.info.AnyVersion || len(known) == 0 ||
		slices.ContainsFunc(known, func(v string) bool { return strings.EqualFold(v, version) }) {
		return nil
	}
	return Errorf(http.StatusBadRequest, "NoRegisteredProviderFound",
		"No registered resource provider found for API version '%s' for type '%s'. The supported api-versions are '%s'.",
		version, b.typeName, strings.Join(known, ", "))
}

// dateShaped says whether s is a day, as 2024-05-01, perhaps with a word after it, as -preview.
func dateShaped(s string) bool {
	if len(s) < len(time.DateOnly) {
		return false
	}
	if _, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)]); err != nil {
		return false
	}
	word := s[len(time.DateOnly):]
	if word == "" {
		return true
	}
	if word[0] != '-' || len(word) == 1 || len(word) > 24 {
		return false
	}
	for i := range len(word) {
		if c := word[i] | 0x20; (c < 'a' || c > 'z') && (word[i] < '0' || word[i] > '9') && word[i] != '-' && word[i] != '.' {
			return false
		}
	}
	return true
}
