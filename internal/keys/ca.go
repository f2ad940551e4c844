package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"tandem"
)

const (
	caLife = 10 * 365 * 24 * time.Hour
	// backdate is how far before its making a certificate begins to hold, for clients whose clock lags.
	backdate = time.Hour
)

// CA is Tandem's own certificate authority: it signs for the endpoints of a site. Its methods may be called from many
// goroutines.
type CA struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	file  string
	clock tandem.Clock
}

// OpenCA reads the authority in dir, or makes it at the first start: ca.key (ECDSA P-256, PKCS #8, mode 0600) and ca.pem,
// the certificate that clients trust. Where only the key is left, the certificate is made anew. An authority that has
// expired is an error, since clients refuse all it signs.
func OpenCA(dir string, clock tandem.Clock) (*CA, error) {
	fail := func(file string, err error, remedy string) (*CA, error) {
		return nil, &tandem.Error{Op: "open certificate authority", Subject: file, Kind: kindOr(err, tandem.Corrupt), Err: err, Remedy: remedy}
	}
	keyFile, certFile := filepath.Join(dir, "ca.key"), filepath.Join(dir, "ca.pem")
	key, err := readOrMake(keyFile, readKey, func() error { return makeKey(keyFile) })
	if err != nil {
		return fail(keyFile, err, "restore the file, or remove ca.key and ca.pem and give clients the new authority")
	}
	cert, err := readOrMake(certFile, readCert, func() error { return makeCACert(certFile, key, clock.Now()) })
	if err != nil {
		return fail(certFile, err, "remove ca.pem to have it made anew from ca.key")
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return fail(certFile, errors.New("it does not belong to the key beside it"), "restore the two files from the same copy")
	}
	if !clock.Now().Before(cert.NotAfter) {
		return fail(certFile, fmt.Errorf("it expired on %s", cert.NotAfter.Format(time.DateOnly)), "remove ca.pem and give clients the new one")
	}
	return &CA{key: key, cert: cert, file: certFile, clock: clock}, nil
}

// File is the path of the authority's certificate in PEM: what a client's "CA file" setting takes.
func (c *CA) File() string { return c.file }

// Certificate is the authority's certificate.
func (c *CA) Certificate() *x509.Certificate { return c.cert }

// PEM is the content of File.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Pool is a new pool that holds the authority alone.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// readOrMake reads a file, making it first where it is absent. Losing the race to make it is no error.
func readOrMake[T any](file string, read func(string) (T, error), produce func() error) (T, error) {
	v, err := read(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return v, err
	}
	if err := produce(); err != nil && !errors.Is(err, fs.ErrExist) {
		return v, err
	}
	return read(file)
}

func makeKey(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return create(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	data, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("it holds no PEM block of a private key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its private key does not parse") // the cause might quote the key
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("its key is not ECDSA P-256")
	}
	return ec, nil
}

func makeCACert(file string, key *ecdsa.PrivateKey, now time.Time) error {
	serial, err := newSerial()
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Tandem"}, CommonName: fmt.Sprintf("Tandem CA %x", serial.Bytes()[:4])},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	return create(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func readCert(file string) (*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no PEM block of a certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// newSerial gives 16 random bytes whose first is never zero, positive as RFC 5280 section 4.1.2.2 asks.
func newSerial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b), nil
}

func kindOr(err error, k tandem.Kind) tandem.Kind {
	if inner := tandem.KindOf(err); inner != "" {
		return inner
	}
	return k
}
