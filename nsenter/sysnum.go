package nsenter

// System calls that package syscall does not name; since v5.1 numbers are the same
// on every architecture.
const (
	sysClone3     = 435
	sysCloseRange = 436
)

// Namespace kinds and clone flags (clone(2), namespaces(7)).
const (
	newTime     = 0x80
	newMnt      = 0x00020000
	newUTS      = 0x04000000
	newIPC      = 0x08000000
	newUser     = 0x10000000
	newPID      = 0x20000000
	newNet      = 0x40000000
	cloneVM     = 0x00000100
	cloneVfork  = 0x00004000
	cloneParent = 0x00008000
	intoCgroup  = 0x200000000 // clone3 only, since v5.7

	cloneChildCleartid = 0x00200000
	cloneChildSettid   = 0x01000000

	prSetTimerslack = 29

	atEmptyPath = 0x1000
)
