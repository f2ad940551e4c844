package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"tandem/internal/workflow"
)

func newLogicAppConvert() *cobra.Command {
	return &cobra.Command{Use: "convert FILE...", Short: "Print the recovery group that does the job of backup and restore workflows",
		Long: "Reads the workflows that back up and restore API Management and prints, as YAML, the recovery group that does the same job. Secrets are not taken over: the output says where they stand.",
		Args: someFiles, RunE: func(c *cobra.Command, args []string) error {
			return runLogicAppConvert(c.OutOrStdout(), args)
		}}
}

func runLogicAppConvert(out io.Writer, files []string) error {
	var texts [][]byte
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return usageError{err}
		}
		texts = append(texts, raw)
	}
	group, err := workflow.Convert(texts...)
	if err != nil {
		return err
	}
	text, err := group.YAML()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
