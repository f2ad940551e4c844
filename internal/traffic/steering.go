package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
)

// SteerMode is how a recovery group, or a person, steers a profile.
type SteerMode string

// The modes. What is disabled stays out in every one; what is measured goes on being told as it is.
const (
	// SteerAutomatic follows the routing method and what is measured.
	SteerAutomatic SteerMode = "Automatic"
	// SteerPrefer answers the endpoint as long as it is up, and follows the routing method while it is not.
	SteerPrefer SteerMode = "Prefer"
	// SteerOnly answers the endpoint whatever is measured.
	SteerOnly SteerMode = "Only"
	// SteerHold keeps taking those endpoints for up that were so when it began, whatever is measured from then on.
	SteerHold SteerMode = "Hold"
)

// Steering is an order on how a profile is answered. It lies in the store beside the profile, where a client that writes the
// profile does not touch it, and ends with it.
type Steering struct {
	Mode     SteerMode `json:"mode"`
	Endpoint string    `json:"endpoint,omitempty"` // the name of the one that is preferred or alone
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	// Number orders orders: one with a lower number than that in force is refused. 0 means the next one in the store, and
	// the one in force at a single server.
	Number uint64    `json:"number"`
	At     time.Time `json:"at,omitzero"` // by the clock of who gave it, for people to read
}

// steered is an order in force at one server.
type steered struct {
	Steering
	Written tandem.Revision `json:"written,omitempty"` // of the newest order that came from the store
	Frozen  map[string]bool `json:"frozen,omitempty"`  // of Hold: the endpoints that were up
}

const steerPrefix = "traffic/steering/"

// steerKey is where the order for a profile lies, by the profile's key.
func steerKey(profile string) string { return steerPrefix + strings.TrimPrefix(profile, profilePrefix) }

// check refuses an order that cannot be followed.
func (s *Steering) check(p *Profile) error {
	for _, m := range []SteerMode{SteerAutomatic, SteerPrefer, SteerOnly, SteerHold} {
		if strings.EqualFold(string(s.Mode), string(m)) {
			s.Mode = m
		}
	}
	switch s.Mode {
	case SteerAutomatic, SteerHold:
		if s.Endpoint != "" {
			return refuse("endpoint", "The mode '%s' takes no endpoint.", s.Mode)
		}
	case SteerPrefer, SteerOnly:
		for _, e := range p.Properties.Endpoints {
			if strings.EqualFold(e.Name, s.Endpoint) {
				s.Endpoint = e.Name
				return nil
			}
		}
		return refuse("endpoint", "The profile '%s' has no endpoint '%s'.", p.Name, s.Endpoint)
	default:
		return refuse("mode", "The mode '%s' is not valid. Allowed values: %s, %s, %s, %s.", s.Mode, SteerAutomatic, SteerPrefer, SteerOnly, SteerHold)
	}
	return nil
}

// profileID gives the key of the profile an id names.
func profileID(id tandem.ResourceID) (string, error) {
	if !strings.EqualFold(id.Type(), namespace+"/trafficManagerProfiles") {
		return "", &tandem.Error{Op: "find traffic profile", Subject: id.String(), Kind: tandem.Invalid, Err: errors.New("it is no id of a profile"), Remedy: "give the id of a Microsoft.Network/trafficManagerProfiles resource"}
	}
	return profileKey(id.Subscription, id.ResourceGroup, id.Name()), nil
}

// Steer gives an order to all DNS servers of the deployment, through the store, and returns it with its number. Every server
// follows as soon as the store tells it; Service.Steer is the way that does not wait for that.
func (p *Provider) Steer(ctx context.Context, profile tandem.ResourceID, s Steering) (Steering, error) {
	key, err := profileID(profile)
	if err != nil {
		return s, err
	}
	for try := 1; ; try++ {
		next, err := p.steerOnce(ctx, key, s)
		if errors.Is(err, tandem.Precondition) && !errors.Is(err, errLater) && try < maxTries {
			continue
		}
		return next, err
	}
}

// errLater is in the chain of a refusal for a newer order.
var errLater = errors.New("an order with a higher number is in force")

func (p *Provider) steerOnce(ctx context.Context, key string, s Steering) (Steering, error) {
	d, err := p.Store.Get(ctx, key, 0)
	if err != nil {
		return s, &tandem.Error{Op: "steer traffic profile", Subject: key, Err: err, Remedy: "name a profile that exists"}
	}
	profile, err := decodeProfile(d)
	if err != nil {
		return s, err
	}
	if err := s.check(profile); err != nil {
		return s, err
	}
	old, revision, err := p.steering(ctx, key)
	if err != nil {
		return s, err
	}
	switch {
	case s.Number == 0:
		s.Number = old.Number + 1
	case s.Number < old.Number:
		return s, late(key, s.Number, old.Number)
	}
	if s.At.IsZero() {
		s.At = p.Clock.Now().UTC()
	}
	value, err := json.Marshal(s)
	if err != nil {
		return s, &tandem.Error{Op: "write order for traffic profile", Subject: key, Kind: tandem.Invalid, Err: err}
	}
	_, err = p.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: key, Revision: store.Any}, {Key: steerKey(key), Revision: revision}}, Put: []store.Write{{Key: steerKey(key), Value: value}}})
	return s, err
}

func late(key string, number, inForce uint64) error {
	return &tandem.Error{Op: "steer traffic profile", Subject: key, Kind: tandem.Precondition, Err: fmt.Errorf("%w: %d, this one is %d", errLater, inForce, number),
		Remedy: "read the order in force and decide again"}
}

// Steering gives the order in the store for a profile; SteerAutomatic with number 0 where none was ever given.
func (p *Provider) Steering(ctx context.Context, profile tandem.ResourceID) (Steering, error) {
	key, err := profileID(profile)
	if err != nil {
		return Steering{}, err
	}
	s, _, err := p.steering(ctx, key)
	return s, err
}

func (p *Provider) steering(ctx context.Context, key string) (Steering, tandem.Revision, error) {
	d, err := p.Store.Get(ctx, steerKey(key), 0)
	if errors.Is(err, tandem.NotFound) {
		return Steering{Mode: SteerAutomatic}, 0, nil
	}
	if err != nil {
		return Steering{}, 0, err
	}
	s, err := decodeSteering(d)
	return s, d.Revision, err
}

func decodeSteering(d store.Document) (Steering, error) {
	var s Steering
	if err := json.Unmarshal(d.Value, &s); err != nil {
		return s, &tandem.Error{Op: "read order for traffic profile", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "give the order again"}
	}
	return s, nil
}
