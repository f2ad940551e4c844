package failover

import (
	"strings"
	"testing"

	"tandem"
)

func TestValidate(t *testing.T) {
	if err := stageConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for member, breakIt := range map[string]func(*Config){
		"home":      func(c *Config) { c.Home = 2 },
		"witnesses": func(c *Config) { c.Witnesses = MaxWitnesses + 1 },
		"quorum":    func(c *Config) { c.Witnesses, c.Quorum = 4, 2 },
		"lease":     func(c *Config) { c.Lease = 0 },
		"margin":    func(c *Config) { c.Lease, c.Margin = 10000, 20 },
		"fresh":     func(c *Config) { c.Fresh = 0 },
		"objective": func(c *Config) { c.Objective = -1 },
		"approval":  func(c *Config) { c.Approval = 3 },
		"holdDown":  func(c *Config) { c.HoldDown.Most = 1 },
	} {
		c := stageConfig()
		breakIt(&c)
		err := c.Validate()
		if tandem.KindOf(err) != tandem.Invalid || !strings.Contains(err.Error(), member) {
			t.Errorf("%s: %v", member, err)
		}
		before := New(stageConfig(), 1, 0)
		after, actions := Step(before, Configured{c}, 0)
		if after.Config != before.Config || len(actions) != 1 || actions[0].Fact.Kind != Turned {
			t.Errorf("%s: a bad configuration is not turned down on record: %v", member, actions)
		}
	}
}
