package embedded

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Extent is a range of bytes of berth's own file.
type Extent struct{ Start, End int64 }

// Extents says which bytes of berth's own file are programs, by the first kilobytes
// of the file, in the file's order: whoever copies the file for the init stage leaves
// them out.
func Extents(head []byte) []Extent {
	var list []Extent
	for _, p := range []Program{Image, Compiler} {
		if p.Missing() {
			continue
		}
		if offset, size := extent(head, p.address(), uint64(len(*p.Bytes))); size > 0 {
			list = append(list, Extent{offset, offset + size})
		}
	}
	slices.SortFunc(list, func(a, b Extent) int { return cmp.Compare(a.Start, b.Start) })
	return list
}

// extent finds the segment of an ELF file that holds the addresses from start on
// (elf(5)); size is 0 where the file is not laid out as expected. The file is one that
// runs, so its headers are true.
func extent(head []byte, start, n uint64) (offset, size int64) {
	const (
		elf64      = 2
		fixed      = 2 // ET_EXEC: addresses are those of the file
		loaded     = 1 // PT_LOAD
		headerSize = 64
		entrySize  = 56
	)
	if len(head) < headerSize || string(head[:4]) != "\x7fELF" || head[4] != elf64 {
		return 0, 0
	}
	order := binary.NativeEndian
	at, count := order.Uint64(head[32:]), order.Uint16(head[56:])
	if order.Uint16(head[16:]) != fixed || order.Uint16(head[54:]) != entrySize {
		return 0, 0
	}
	for ; count > 0 && at+entrySize <= uint64(len(head)); count-- {
		entry := head[at:]
		at += entrySize
		first, length := order.Uint64(entry[16:]), order.Uint64(entry[32:])
		if order.Uint32(entry) == loaded && start >= first && start+n <= first+length {
			return int64(order.Uint64(entry[8:]) + start - first), int64(n)
		}
	}
	return 0, 0
}
