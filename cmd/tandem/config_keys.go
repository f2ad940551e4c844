package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/keys"
)

func newConfigKeys() *cobra.Command {
	return &cobra.Command{Use: "keys FOLDER", Short: "Make the certificate authority and the keys of a deployment",
		Long: "Makes what all nodes of a deployment share, each where it is not there yet: ca/ (the certificate authority), keys/master.key (seals secrets),\n" +
			"keys/backup.identity (opens backups), keys/recovery.recipient and keys/recovery.secret. Copy ca/ and keys/ to every node, without recovery.secret:\n" +
			"it opens every backup, so take it offline.",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			if err := makeKeys(args[0], tandem.SystemClock{}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "ca: %s\nmasterKey: %s\nbackupIdentity: %s\nrecovery: %s\n", filepath.Join(args[0], "ca"), filepath.Join(args[0], "keys", "master.key"),
				filepath.Join(args[0], "keys", "backup.identity"), filepath.Join(args[0], "keys", "recovery.recipient"))
			return err
		}}
}

func makeKeys(folder string, clock tandem.Clock) error {
	dir := filepath.Join(folder, "keys")
	for _, d := range []string{dir, filepath.Join(folder, "ca")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if _, err := keys.OpenCA(filepath.Join(folder, "ca"), clock); err != nil {
		return err
	}
	if _, err := keys.OpenMaster(filepath.Join(dir, "master.key"), keys.MasterOptions{Create: true, Clock: clock}); err != nil {
		return err
	}
	if _, err := keys.OpenIdentity(filepath.Join(dir, "backup.identity"), true, clock); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "recovery.recipient")); errors.Is(err, fs.ErrNotExist) {
		if _, err := keys.CreateRecovery(filepath.Join(dir, "recovery.secret"), filepath.Join(dir, "recovery.recipient"), clock); err != nil {
			return err
		}
	}
	return nil
}
