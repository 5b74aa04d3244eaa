package gunzip

// An entry of a decoding table. The low byte is how many bits it takes in all, code
// and extra bits together; bits 8 to 12 how many of them are the code's.
//
//	literal     flagLiteral    bits 16 to 23: the byte
//	length      neither flag   bits 16 to 24: the base; extra bits follow the code
//	distance    neither flag   bits 16 to 30: the base; extra bits follow the code
//	subtable    flagOther      bits 16 to 30: where it begins; bits 8 to 12: its bits;
//	                           the low byte: the bits of the first table
//	end         flagOther      bits 16 to 30: endOfBlock
//	invalid     flagOther      bits 16 to 30: noCode
type entry = uint32

const (
	flagLiteral = 1 << 31
	flagOther   = 1 << 15

	endOfBlock = 0x7fff
	noCode     = 0x7ffe
	invalid    = flagOther | noCode<<16

	maxCode      = 15 // bits of the longest code
	literalBits  = 11 // bits of the first table of literals and lengths
	distanceBits = 9
	codeBits     = 7 // of the code that the other two are written in

	numLiterals  = 288
	numDistances = 32
	numCodes     = 19

	// The tables with all subtables are never larger: zlib's enough.c says 2342 for
	// 288 symbols, 11 bits of 15, and 592 for 32, 9 of 15.
	literalEntries  = 2400
	distanceEntries = 640
)

// The bases and extra bits of lengths 257… and of distances (RFC 1951, 3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}

	distanceBase = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
)

// kind says what the symbols of a code are.
type kind int

const (
	literals kind = iota
	distances
	codes
)

// symbolEntry is the entry of a symbol with a code of the given length.
func (k kind) symbolEntry(symbol, length int) entry {
	bits := entry(length)<<8 | entry(length)
	switch k {
	case literals:
		switch {
		case symbol < 256:
			return flagLiteral | entry(symbol)<<16 | bits
		case symbol == 256:
			return flagOther | endOfBlock<<16 | bits
		case symbol-257 < len(lengthBase):
			return entry(lengthBase[symbol-257])<<16 | bits + entry(lengthExtra[symbol-257])
		}
	case distances:
		if symbol < len(distanceBase) {
			extra := max(0, symbol/2-1)
			return entry(distanceBase[symbol])<<16 | bits + entry(extra)
		}
	case codes:
		return entry(symbol)<<16 | bits
	}
	return invalid
}

// build makes the table of the canonical code with the given lengths (RFC 1951,
// 3.2.2); first is how many bits the first look-up takes. It reports false for
// lengths that are no code. A code with a single symbol may be incomplete, and so
// may one without any: it is a table of invalid entries.
func build(table []entry, first int, lengths []uint8, k kind) bool {
	var count [maxCode + 1]int
	for _, l := range lengths {
		count[l]++
	}
	used := len(lengths) - count[0]
	count[0] = 0
	// Kraft's sum: how many codes of the longest length are left over.
	left := 1
	for l := 1; l <= maxCode; l++ {
		if left = left<<1 - count[l]; left < 0 {
			return false
		}
	}
	if left > 0 {
		if used > 1 || used == 1 && count[1] != 1 {
			return false
		}
		for i := range 1 << first {
			table[i] = invalid
		}
		if used == 0 {
			return true
		}
	}
	var order [numLiterals]uint16 // symbols by length, then by value
	var offset [maxCode + 2]int
	for l := 1; l <= maxCode; l++ {
		offset[l+1] = offset[l] + count[l]
	}
	for symbol, l := range lengths {
		if l != 0 {
			order[offset[l]] = uint16(symbol)
			offset[l]++
		}
	}
	fill(table, first, order[:used], &count, lengths, k)
	return true
}

// fill enters the symbols. Deflate reads codes from their first bit on, and so code
// is kept with its bits reversed.
func fill(table []entry, first int, order []uint16, count *[maxCode + 1]int, lengths []uint8, k kind) {
	code := 0
	end := 1 << first // of the tables so far
	subStart, subBits, prefix := 0, 0, -1
	for _, symbol := range order {
		length := int(lengths[symbol])
		e := k.symbolEntry(int(symbol), length)
		if length <= first {
			for i := code; i < 1<<first; i += 1 << length {
				table[i] = e
			}
		} else {
			if low := code & (1<<first - 1); low != prefix {
				// A subtable: as many bits as the codes with this beginning need.
				prefix, subStart, subBits = low, end, length-first
				for room := count[length]; room < 1<<subBits && first+subBits < maxCode; {
					subBits++
					room = room<<1 + count[first+subBits]
				}
				end += 1 << subBits
				table[low] = flagOther | entry(subStart)<<16 | entry(subBits)<<8 | entry(first)
			}
			if e&flagOther == 0 || e>>16 != noCode {
				e -= entry(first)<<8 | entry(first) // those bits are taken before
			}
			for i := code >> first; i < 1<<subBits; i += 1 << (length - first) {
				table[subStart+i] = e
			}
		}
		count[length]--
		code = next(code, length)
	}
}

// next is the code after one of the given length, bits reversed: the highest zero
// bit becomes one, those above it zero.
func next(code, length int) int {
	bit := 1 << (length - 1)
	for code&bit != 0 {
		bit >>= 1
	}
	if bit == 0 {
		return 0
	}
	return code&(bit-1) | bit
}
