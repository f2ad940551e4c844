// Package synthetic executes GraphQL requests (specification of October 2021, section 6) against a schema whose fields are
// resolved one by one: by a resolver, or as a member of what the field above gave. It knows no policy and no HTTP.
package synthetic
