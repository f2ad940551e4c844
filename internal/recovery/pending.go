package recovery

type EvidenceConfig struct{}

func (r *runner) concluded(b *batch) {}
func (r *runner) schedules()         {}
func (r *runner) resumeJobs()        {}
