// Package parcels is the API that the rehearsal puts behind the gateway: small, but it does what its OpenAPI document says.
package parcels

import (
	_ "embed" // for the document
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Document is the API's description, OpenAPI 3.0 in YAML.
//
//go:embed openapi.yaml
var Document string

// Parcel is one parcel.
type Parcel struct {
	ID     string `json:"id"`
	To     string `json:"to"`
	Grams  int    `json:"grams"`
	Status string `json:"status"` // accepted, moving or delivered
}

type problem struct {
	Message string `json:"message"`
}

// API serves the parcels; it begins with three of them, which never change.
type API struct {
	mu      sync.Mutex
	parcels []Parcel
	mux     *http.ServeMux
}

// Known are the parcels that every API has from the start.
func Known() []Parcel {
	return []Parcel{{"p1", "Pune", 350, "delivered"}, {"p2", "Chennai", 1200, "moving"}, {"p3", "Kochi", 9800, "accepted"}}
}

// New makes the API.
func New() *API {
	a := &API{parcels: Known(), mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /parcels", a.list)
	a.mux.HandleFunc("POST /parcels", a.accept)
	a.mux.HandleFunc("GET /parcels/{id}", a.get)
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *API) list(w http.ResponseWriter, r *http.Request) {
	status := r.URL.Query().Get("status")
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []Parcel{}
	for _, p := range a.parcels {
		if status == "" || p.Status == status {
			out = append(out, p)
		}
	}
	answer(w, http.StatusOK, out)
}

func (a *API) get(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.parcels, func(p Parcel) bool { return p.ID == r.PathValue("id") })
	if i < 0 {
		answer(w, http.StatusNotFound, problem{"there is no parcel " + strconv.Quote(r.PathValue("id"))})
		return
	}
	answer(w, http.StatusOK, a.parcels[i])
}

// mostParcels bounds the memory: the API is for rehearsals.
const mostParcels = 10_000

func (a *API) accept(w http.ResponseWriter, r *http.Request) {
	var in struct {
		To    string `json:"to"`
		Grams int    `json:"grams"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, problem{"the body is not a parcel: " + err.Error()})
		return
	}
	if in.To == "" || in.Grams < 1 || in.Grams > 30_000 {
		answer(w, http.StatusBadRequest, problem{"a parcel needs a place to go to and 1 to 30000 grams"})
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.parcels) >= mostParcels {
		answer(w, http.StatusServiceUnavailable, problem{fmt.Sprintf("the depot is full: it holds %d parcels", mostParcels)})
		return
	}
	p := Parcel{ID: "p" + strconv.Itoa(len(a.parcels)+1), To: in.To, Grams: in.Grams, Status: "accepted"}
	a.parcels = append(a.parcels, p)
	answer(w, http.StatusCreated, p)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away; there is nobody to tell
}
