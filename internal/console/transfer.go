package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem/internal/replica"
)

// transferPage is a backup or a restore before it is done.
type transferPage struct {
	Service    serviceView
	Containers []containerView
	Account    string
	Container  string
	Blob       string
	May        bool
}

func (v *visit) transferAt(action string) (transferPage, error) {
	s, err := v.serviceAt()
	if err != nil {
		return transferPage{}, err
	}
	q := v.r.URL.Query()
	p := transferPage{Service: s, Account: q.Get("account"), Container: q.Get("container"), Blob: q.Get("blob"), May: v.may("Microsoft.ApiManagement/service/"+action+"/action", s.ID)}
	p.Containers, err = v.containers()
	return p, err
}

func loadBackUp(v *visit) (any, error) {
	p, err := v.transferAt("backup")
	p.Blob = strings.ToLower(p.Service.Name) + "-" + v.Clock.Now().UTC().Format("20060102-150405") + ".apimbackup"
	return p, err
}

func loadRestore(v *visit) (any, error) {
	p, err := v.transferAt("restore")
	return p, err
}

func doBackUp(v *visit) (string, error) {
	account, container, _ := strings.Cut(v.r.PostFormValue("place"), "/")
	return v.transfer("backup", account, container, v.r.PostFormValue("blob"))
}

func doRestore(v *visit) (string, error) {
	// The name is the client's own, so that nothing has to be read before it is compared.
	if v.r.PostFormValue("confirm") != v.r.PathValue("service") {
		return "", errConfirm
	}
	return v.transfer("restore", v.r.PostFormValue("account"), v.r.PostFormValue("container"), v.r.PostFormValue("blob"))
}

// transfer starts a backup or a restore by the management call, with the storage account's key as the role gives it.
func (v *visit) transfer(verb, account, container, blob string) (string, error) {
	s, err := v.serviceAt()
	if err != nil {
		return "", err
	}
	id, err := v.account(account)
	if err != nil {
		return "", err
	}
	var keys struct{ Keys []struct{ Value string } }
	if _, err := v.call(v.ctx, http.MethodPost, id+"/listKeys", storageVersion, nil, &keys); err != nil {
		return "", err
	}
	if len(keys.Keys) == 0 {
		return "", refusal{Status: http.StatusConflict, Code: "NoKeys", Message: "The storage account " + account + " has no keys."}
	}
	header, err := v.call(v.ctx, http.MethodPost, s.ID+"/"+verb, apimVersion, map[string]any{"storageAccount": account, "containerName": container, "backupName": blob,
		"accessType": "AccessKey", "accessKey": keys.Keys[0].Value}, nil)
	if err != nil {
		return "", err
	}
	at, err := url.Parse(header.Get("Azure-AsyncOperation"))
	if err != nil || at.Path == "" {
		if at, err = url.Parse(strings.Replace(header.Get("Location"), "/operationresults/", "/operationStatuses/", 1)); err != nil {
			return "", err
		}
	}
	return "/operation?" + url.Values{"at": {at.Path}, "verb": {verb}, "service": {s.ID}, "blob": {blob}}.Encode(), nil
}

// operationPage is a long-running operation, as it is.
type operationPage struct {
	Verb, Service, Blob string
	State               string
	Started, Ended      time.Time
	Outcome             replica.Outcome
	Failure             string
}

// Level is how it stands.
func (p operationPage) Level() string {
	switch p.State {
	case "Succeeded":
		return "good"
	case "InProgress":
		return "wait"
	}
	return "bad"
}

// Title is what it does.
func (p operationPage) Title() string {
	if p.Verb == "restore" {
		return "Restore into " + lastSegment(p.Service)
	}
	return "Back up " + lastSegment(p.Service)
}

func (p operationPage) title() string { return p.Title() }

func (p operationPage) say() string { return p.Title() + ": " + p.State }

func loadOperation(v *visit) (any, error) {
	q := v.r.URL.Query()
	p := operationPage{Verb: q.Get("verb"), Service: q.Get("service"), Blob: q.Get("blob")}
	at := q.Get("at")
	if !strings.HasPrefix(strings.ToLower(at), "/subscriptions/") || !strings.Contains(at, "/operationStatuses/") || strings.ContainsAny(at, "?#") {
		return nil, errNoPage
	}
	var status struct {
		Status     string
		StartTime  time.Time
		EndTime    time.Time
		Properties json.RawMessage
		Error      *struct{ Message string }
	}
	if _, err := v.call(v.ctx, http.MethodGet, at, apimVersion, nil, &status); err != nil {
		return nil, err
	}
	p.State, p.Started, p.Ended = status.Status, status.StartTime, status.EndTime
	if status.Error != nil {
		p.Failure = status.Error.Message
	}
	if len(status.Properties) > 0 {
		if err := json.Unmarshal(status.Properties, &p.Outcome); err != nil {
			return nil, err
		}
	}
	return p, nil
}
