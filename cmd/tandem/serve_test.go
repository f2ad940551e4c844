package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tandem"
)

// TestServe runs nodes as processes from the files of deploy/three-sites, on loopback addresses that no other run uses.
func TestServe(t *testing.T) {
	examples, err := filepath.Abs("../../deploy/three-sites")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/serve", Setup: func(e *testscript.Env) error {
		e.Setenv("SITE", fmt.Sprintf("127.%d.%d", 20+rand.IntN(200), rand.IntN(250)))
		e.Setenv("EXAMPLES", examples)
		return nil
	}, Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"sites": writeSites, "rejoin": rejoin, "eventually": eventually, "members": membersStand, "askarm": askARM}})
}

// sitePlaces are the places of the example, in the order of their addresses.
var sitePlaces = []string{"centralindia", "southindia", "westindia"}

// writeSites writes the example's files with addresses, ports and folders of this run.
func writeSites(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range sitePlaces {
		raw, err := os.ReadFile(filepath.Join(ts.Getenv("EXAMPLES"), name+".yaml"))
		ts.Check(err)
		text := string(raw)
		for i := range sitePlaces {
			text = strings.ReplaceAll(text, fmt.Sprintf("10.%d.0.4", i+1), fmt.Sprintf("%s.%d", ts.Getenv("SITE"), i+1))
		}
		for port, free := range map[string]string{"8443": "18443", "8444": "18444", "8445": "18445", "8446": "18446", "8447": "18447", "10000": "20000", "traffic: 53": "traffic: 18053"} {
			text = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(text, free)
		}
		text = strings.ReplaceAll(text, "/etc/tandem/keys/credentials.json", ts.MkAbs("credentials-"+name+".json"))
		text = strings.ReplaceAll(text, "/var/lib/tandem", ts.MkAbs(name))
		text = strings.ReplaceAll(text, "/etc/tandem", ts.MkAbs("k"))
		ts.Check(os.WriteFile(ts.MkAbs(name+".yaml"), []byte(text), 0o600))
	}
}

// rejoin changes a node's file so that it joins at another port: rejoin NAME.
func rejoin(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0] + ".yaml")
	raw, err := os.ReadFile(file)
	ts.Check(err)
	own := fmt.Sprintf("%s.%d:18445", ts.Getenv("SITE"), slices.Index(sitePlaces, args[0])+1)
	text := strings.ReplaceAll(string(raw), own, strings.TrimSuffix(own, "5")+"8")
	text = strings.Replace(text, "control: #", "control:\n  join: true #", 1)
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
}

// sitePatience is how long a script waits for something, on a machine that is busy.
const sitePatience = 2 * time.Minute

func wait(ts *testscript.TestScript, what string, is func() error) {
	ctx, cancel := context.WithTimeout(context.Background(), sitePatience)
	defer cancel()
	for {
		err := is()
		if err == nil {
			return
		}
		if (tandem.SystemClock{}).Sleep(ctx, 200*time.Millisecond) != nil {
			ts.Fatalf("%s: after %s still: %v", what, sitePatience, err)
		}
	}
}

// eventually runs a command until its output matches: eventually REGEXP COMMAND….
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	wait(ts, strings.Join(args[1:], " "), func() error {
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); err != nil || !want.MatchString(out) {
			return fmt.Errorf("%w: %s%s", cause(err), out, ts.ReadFile("stderr"))
		}
		return nil
	})
}

func cause(err error) error {
	if err != nil {
		return err
	}
	return errors.New("its output is another")
}

// membersStand waits until all members have started: members CONFIG.
func membersStand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range sitePlaces {
		eventually(ts, false, []string{name + " +127[^ ]+ +(voter|leader)", "tandem", "member", "list", "--config", args[len(args)-1]})
	}
}

// askARM gets a token at a place and asks its management plane for the resource groups, until it answers so: askarm PLACE STATUS.
func askARM(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	pem, err := os.ReadFile(ts.MkAbs("k/ca/ca.pem"))
	ts.Check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	at := fmt.Sprintf("https://%s.%d", ts.Getenv("SITE"), slices.Index(sitePlaces, args[0])+1)
	wait(ts, "ask "+args[0], func() error {
		got, err := askOnce(ts, client, at)
		if err == nil && got != want {
			err = fmt.Errorf("it answers %d", got)
		}
		return err
	})
}

func askOnce(ts *testscript.TestScript, client *http.Client, at string) (int, error) {
	files, _ := filepath.Glob(ts.MkAbs("credentials-*.json"))
	if len(files) == 0 {
		return 0, errors.New("nobody has made the first principals")
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		return 0, err
	}
	var made map[string]struct{ TenantID, ClientID, ClientSecret string }
	if err := json.Unmarshal(raw, &made); err != nil {
		return 0, err
	}
	c := made["operator"]
	resp, err := client.PostForm(at+":18446/"+c.TenantID+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {"https://management.azure.com/.default"}})
	if err != nil {
		return 0, err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil {
		err = json.Unmarshal(text, &token)
	}
	if err != nil || token.Token == "" {
		return 0, fmt.Errorf("no token: %s %w", text, cause(err))
	}
	req, err := http.NewRequest(http.MethodGet, at+":18443/subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups?api-version=2021-04-01", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	if resp, err = client.Do(req); err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
