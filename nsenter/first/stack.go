package first

var _ = growStack()

// growStack makes the main goroutine's stack 32 KiB, which is what a verb and the init
// stage come to. Otherwise it starts with 2 KiB and doubles four times, each time with a
// walk over all frames, whose maps have to be read from the file: 37 of the 690 page
// faults of a run. The runtime makes room for all of a function's frame when it is
// called (runtime.newstack); nobody touches the array.
//
//go:noinline
func growStack() byte {
	if soft, hard := Nofile(); soft > hard { // never
		var room [24 << 10]byte
		return room[soft%uint64(len(room))]
	}
	return 0
}
