package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/node"
)

// The places and names of the world.
const (
	PrimaryRegion  = tandem.Region("centralindia")
	StandbyRegion  = tandem.Region("southindia")
	PrimaryService = "apim-primary"
	StandbyService = "apim-dr"
	PrimaryGroup   = "APIMPrimaryRG"
	StandbyGroup   = "APIMDRRG"
	StorageAccount = "apimdrstorage"
	Container      = "backups"
	BackupName     = "apim-primary.apimbackup"
	ProfileName    = "parcels"
	Zone           = "trafficmanager.net"
	TrafficName    = ProfileName + "." + Zone
	operatorName   = "tandem-operator"
	automationName = "apim-dr-automation"
)

// Deployment is what stays the same over restarts of a world: ids, addresses and ports.
type Deployment struct {
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	Primary        Site   `json:"primary"`
	Standby        Site   `json:"standby"`
	GatewayPort    int    `json:"gatewayPort"` // the same in both regions: a DNS answer carries no port
	BackendPort    int    `json:"backendPort"`
	Built          bool   `json:"built"` // services, API and profile are made

	dir   string
	ca    *keys.CA
	clock tandem.Clock
	lock  *os.File // held while the deployment is open
}

// Site is one region's address and ports.
type Site struct {
	Address string     `json:"address"`
	Ports   node.Ports `json:"ports"`
}

// OpenDeployment reads the deployment in dir, or makes one there: authority, master key and backup keys, each in a folder
// apart from the data. Ports that are taken meanwhile are replaced by free ones.
func OpenDeployment(dir string, clock tandem.Clock) (*Deployment, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return nil, &tandem.Error{Op: "make folder", Subject: dir, Err: err, Remedy: "choose a folder that can be written with --dir"}
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if !lockFile(lock) {
		return nil, errors.Join(&tandem.Error{Op: "open world", Subject: dir, Kind: tandem.Locked, Err: errors.New("another process runs the world in this folder"), Remedy: "end it first, or choose another folder with --dir"}, lock.Close())
	}
	d := &Deployment{dir: dir, clock: clock, lock: lock}
	raw, err := os.ReadFile(d.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.TenantID, d.SubscriptionID = uuid.NewString(), uuid.NewString()
		d.Primary.Address, d.Standby.Address = "127.0.1.1", "127.0.1.2"
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(raw, d); err != nil {
			return nil, &tandem.Error{Op: "read deployment", Subject: d.file(), Kind: tandem.Corrupt, Err: err, Remedy: "mend the file, or begin in another folder"}
		}
	}
	if d.ca, err = keys.OpenCA(filepath.Join(dir, "ca"), clock); err != nil {
		return nil, err
	}
	if _, err := keys.OpenMaster(d.masterKey(), keys.MasterOptions{Create: true, Clock: clock}); err != nil {
		return nil, err
	}
	if _, err := keys.OpenIdentity(d.backupIdentity(), true, clock); err != nil {
		return nil, err
	}
	if _, err := os.Stat(d.recovery()); errors.Is(err, fs.ErrNotExist) {
		if _, err := keys.CreateRecovery(filepath.Join(dir, "keys", "recovery.secret"), d.recovery(), clock); err != nil {
			return nil, err
		}
	}
	if err := d.choosePorts(); err != nil {
		return nil, err
	}
	return d, d.save()
}

func (d *Deployment) file() string           { return filepath.Join(d.dir, "deployment.json") }
func (d *Deployment) masterKey() string      { return filepath.Join(d.dir, "keys", "master.key") }
func (d *Deployment) backupIdentity() string { return filepath.Join(d.dir, "keys", "backup.identity") }
func (d *Deployment) recovery() string       { return filepath.Join(d.dir, "keys", "recovery.recipient") }

func (d *Deployment) save() error {
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	tmp := d.file() + ".new"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, d.file())
}

// choosePorts keeps the ports of last time where they are free, and picks free ones elsewhere.
func (d *Deployment) choosePorts() error {
	both := []string{d.Primary.Address, d.Standby.Address}
	p, s := []string{d.Primary.Address}, []string{d.Standby.Address}
	for _, c := range []struct {
		port *int
		on   []string
		udp  bool
	}{{&d.GatewayPort, both, false}, {&d.BackendPort, []string{"127.0.0.1"}, false},
		{&d.Primary.Ports.ARM, p, false}, {&d.Primary.Ports.Internal, p, false},
		{&d.Standby.Ports.ARM, s, false}, {&d.Standby.Ports.Internal, s, false}, {&d.Standby.Ports.Authority, s, false}, {&d.Standby.Ports.Blob, s, false}, {&d.Standby.Ports.Traffic, s, true}, {&d.Standby.Ports.Console, s, false}} {
		if *c.port != 0 && free(*c.port, c.on, c.udp) {
			continue
		}
		port, err := freePort(c.on, c.udp)
		if err != nil {
			return err
		}
		*c.port = port
	}
	return nil
}

// freePort finds a port that is free on all the addresses.
func freePort(on []string, udp bool) (int, error) {
	for range 50 {
		l, err := net.Listen("tcp", net.JoinHostPort(on[0], "0"))
		if err != nil {
			return 0, &tandem.Error{Op: "listen on", Subject: on[0], Kind: tandem.Unavailable, Err: err, Remedy: "the world needs the loopback addresses 127.0.1.1 and 127.0.1.2"}
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if free(port, on, udp) {
			return port, nil
		}
	}
	return 0, &tandem.Error{Op: "find a free port", Subject: fmt.Sprint(on), Kind: tandem.Unavailable, Remedy: "close programs that listen on many ports"}
}

func free(port int, on []string, udp bool) bool {
	for _, host := range on {
		address := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			return false
		}
		_ = l.Close() // it was only a question
		if !udp {
			continue
		}
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return false
		}
		_ = c.Close() // likewise
	}
	return true
}

// config is the configuration of one region's node.
func (d *Deployment) config(region tandem.Region) node.Config {
	url := func(s Site, port int) string { return "https://" + net.JoinHostPort(s.Address, strconv.Itoa(port)) }
	c := node.Config{Region: region, Dir: filepath.Join(d.dir, string(region)), CA: filepath.Join(d.dir, "ca"), MasterKey: d.masterKey(), BackupIdentity: d.backupIdentity(),
		Recovery: d.recovery(), Names: []string{TrafficName}}
	if region == PrimaryRegion {
		c.Address, c.Ports, c.Gateways = d.Primary.Address, d.Primary.Ports, map[string]int{PrimaryService: d.GatewayPort}
		c.Peers = []node.Peer{{Region: StandbyRegion, Home: true, ARM: url(d.Standby, d.Standby.Ports.ARM), Internal: url(d.Standby, d.Standby.Ports.Internal), Blob: url(d.Standby, d.Standby.Ports.Blob)}}
		return c
	}
	c.Address, c.Ports, c.Gateways = d.Standby.Address, d.Standby.Ports, map[string]int{StandbyService: d.GatewayPort}
	c.Home = &node.Home{TenantID: d.TenantID, SubscriptionID: d.SubscriptionID, Zone: Zone, Operator: operatorName, Principals: []string{automationName}}
	c.Peers = []node.Peer{{Region: PrimaryRegion, ARM: url(d.Primary, d.Primary.Ports.ARM), Internal: url(d.Primary, d.Primary.Ports.Internal)}}
	return c
}
