package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"tandem"
	"tandem/internal/store/etcd"
)

// membersPath of the internal listener: GET lists the control members, POST adds one at {"address"}, DELETE …/{id} removes one.
const membersPath = "/tandem/v1/members"

func (n *Node) serveMembers(w http.ResponseWriter, r *http.Request) {
	list, err := n.changeMembers(r)
	if err != nil {
		writeKind(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // the caller went away; there is nobody to tell
}

func (n *Node) changeMembers(r *http.Request) ([]etcd.MemberInfo, error) {
	refuse := func(kind tandem.Kind, why, remedy string) ([]etcd.MemberInfo, error) {
		return nil, &tandem.Error{Op: "change members", Subject: string(n.Region), Kind: kind, Err: errors.New(why), Remedy: remedy}
	}
	if n.Control == nil || len(n.Control.Endpoints) > 0 {
		return refuse(tandem.Unsupported, "this node is no member of an embedded control plane", "ask a node whose configuration has control.peers")
	}
	opened := n.shared.opened.Load()
	if opened == nil {
		return refuse(tandem.Unavailable, "this node's member has not started yet", "ask another member")
	}
	ctx := r.Context()
	switch r.Method {
	case http.MethodPost:
		var m Member
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.Address == "" {
			return refuse(tandem.Invalid, "the address is not given", "give the new member's address, host:port")
		}
		n.Log.Info("a member of the control plane is added", "address", m.Address)
		return opened.AddMember(ctx, m.Address)
	case http.MethodDelete:
		n.Log.Info("a member of the control plane is removed", "id", r.PathValue("id"))
		if err := opened.RemoveMember(ctx, r.PathValue("id")); err != nil {
			return nil, err
		}
	}
	return opened.Members(ctx)
}

// MembersClient asks a running control member about the members, over its internal listener. Its transport has a client
// certificate of the deployment's authority.
type MembersClient struct {
	Client   *http.Client
	Internal string // "https://10.1.0.4:8444"
}

// List gives the members.
func (c MembersClient) List(ctx context.Context) (list []etcd.MemberInfo, err error) {
	err = call(ctx, c.Client, http.MethodGet, c.Internal+membersPath, nil, &list)
	return list, err
}

// Add tells the cluster of a member that will join at an address, host:port.
func (c MembersClient) Add(ctx context.Context, address string) (list []etcd.MemberInfo, err error) {
	err = call(ctx, c.Client, http.MethodPost, c.Internal+membersPath, Member{Address: address}, &list)
	return list, err
}

// Remove takes a member out, by its id.
func (c MembersClient) Remove(ctx context.Context, id string) (list []etcd.MemberInfo, err error) {
	err = call(ctx, c.Client, http.MethodDelete, c.Internal+membersPath+"/"+url.PathEscape(id), nil, &list)
	return list, err
}
