package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Endpoints is what endpoints.json holds (mode 0600): everything a client of the world needs. An address that does not
// exist is null.
type Endpoints struct {
	ARMURL         string             `json:"arm_url"`
	ARMAudience    string             `json:"arm_audience"`
	AuthorityURL   string             `json:"authority_url"`
	GraphURL       *string            `json:"graph_url"`
	CAFile         string             `json:"ca_file"`
	TenantID       string             `json:"tenant_id"`
	SubscriptionID string             `json:"subscription_id"`
	ClientID       string             `json:"client_id"`
	ClientSecret   string             `json:"client_secret"`
	ClientObjectID string             `json:"client_object_id"`
	Location       string             `json:"location"`
	Gateways       map[string]Gateway `json:"gateways"`
	DNSAddr        string             `json:"dns_addr"`
	TrafficName    string             `json:"traffic_name"`
	ConsoleURL     *string            `json:"console_url"`
	Storage        Storage            `json:"storage"`
	// Automation is the principal of the backup and restore automation: API Management Service Contributor on the primary's
	// group, Contributor on the standby's, and nothing else.
	Automation Principal `json:"automation"`
}

// Gateway is where a service's data plane answers.
type Gateway struct {
	URL       string `json:"url"`
	StatusURL string `json:"status_url"`
}

// Storage is the storage account for backups.
type Storage struct {
	Account   string `json:"account"`
	Key       string `json:"key"`
	Container string `json:"container"`
	BlobURL   string `json:"blob_url"`
}

// Principal is what a service principal signs in with.
type Principal struct {
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	ClientObjectID string `json:"client_object_id"`
}

func endpointsFile(dir string) string { return filepath.Join(dir, "endpoints.json") }

func readEndpoints(dir string) (e Endpoints, err error) {
	raw, err := os.ReadFile(endpointsFile(dir))
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(raw, &e)
}

func (e Endpoints) write(dir string) error {
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	tmp := endpointsFile(dir) + ".new"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, endpointsFile(dir))
}
