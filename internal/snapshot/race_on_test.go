//go:build race

package snapshot

// raceDetector slows each flip tenfold, and the reader it watches has no goroutine.
const raceDetector = true
