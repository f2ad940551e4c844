package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	subID    = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	armAud   = "https://management.azure.com/"
)

// hands is a clock that the test turns.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func newHands() *hands { return &hands{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) turn(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *hands) After(time.Duration) <-chan time.Time { return nil }

func (h *hands) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// sealer is AES-GCM with a nonce made of the content: enough for tests, in which it must seal and must bind to the context.
type sealer struct{ aead cipher.AEAD }

func newSealer() sealer {
	block, _ := aes.NewCipher([]byte("0123456789abcdef"))
	aead, _ := cipher.NewGCM(block)
	return sealer{aead}
}

func (s sealer) Seal(plain, context []byte) (string, error) {
	sum := sha256.Sum256(append(slices.Clone(plain), context...))
	nonce := sum[:s.aead.NonceSize()]
	return base64.StdEncoding.EncodeToString(s.aead.Seal(slices.Clone(nonce), nonce, plain, context)), nil
}

func (s sealer) Open(sealed string, context []byte) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < s.aead.NonceSize() {
		return nil, errors.New("not sealed")
	}
	return s.aead.Open(nil, b[:s.aead.NonceSize()], b[s.aead.NonceSize():], context)
}

type site struct {
	t     *testing.T
	clock *hands
	store store.Store
	d     *Directory
	owner Credentials
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, clock: newHands(), store: storetest.Memory()}
	t.Cleanup(func() { check(t, s.store.Close()) })
	s.d = s.open()
	var err error
	s.owner, err = s.d.Bootstrap(t.Context(), BootstrapOptions{Tenant: Tenant{ID: tenantID, DisplayName: "Contoso", Domain: "contoso.example"}, Principal: "owner"})
	check(t, err)
	return s
}

func (s *site) open() *Directory {
	d, err := Open(s.t.Context(), Config{AccessConfig: AccessConfig{Clock: s.clock}, Store: s.store, Sealer: newSealer(), Log: slog.New(slog.DiscardHandler)})
	check(s.t, err)
	return d
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) authority() *Authority {
	return NewAuthority(AuthorityConfig{Directory: s.d, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
}

func (s *site) post(path, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "https://login.example"+path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.authority().ServeHTTP(w, r)
	return w
}

// token gets a token for a client and a resource.
func (s *site) token(c Credentials, resource string) string {
	s.t.Helper()
	w := s.post("/"+tenantID+"/oauth2/v2.0/token", "grant_type=client_credentials&client_id="+c.ClientID+"&client_secret="+c.ClientSecret+"&scope="+resource+"/.default")
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Token == "" {
		s.t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	return answer.Token
}

// call sends a request to a handler with a token.
func call(h http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://arm.example"+target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (s *site) arm(a arm.Authoriser) http.Handler {
	h, err := arm.NewServer(arm.ServerConfig{Providers: []arm.Provider{s.d.Authorization()}, Authoriser: a, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
	check(s.t, err)
	return h
}

func errorCode(w *httptest.ResponseRecorder) string {
	var e struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return e.Error.Code
}
