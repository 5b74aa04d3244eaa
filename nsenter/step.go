package nsenter

// Step names what the child was doing when a system call failed.
type Step uintptr

// The steps in the order in which they may come.
const (
	StepFork Step = iota
	StepCgroup
	StepJoin
	StepUnshareUser
	StepMaps
	StepBecomeRoot
	StepUnshareTime
	StepOffsets
	StepUnshareMounts
	StepClone
	StepInherit
	StepExec
)

// String completes the sentence "… : errno".
func (s Step) String() string {
	switch s {
	case StepFork:
		return "clone into new namespaces"
	case StepCgroup:
		return "join cgroup"
	case StepJoin:
		return "join namespace"
	case StepUnshareUser:
		return "unshare user namespace"
	case StepMaps:
		return "wait for id mappings"
	case StepBecomeRoot:
		return "become root of the user namespace"
	case StepUnshareTime:
		return "unshare time namespace"
	case StepOffsets:
		return "wait for time offsets"
	case StepUnshareMounts:
		return "unshare mount namespace"
	case StepClone:
		return "clone into the container's namespaces"
	case StepInherit:
		return "pass on a file descriptor"
	case StepExec:
		return "execute the init stage"
	default:
		return "stage 1"
	}
}
