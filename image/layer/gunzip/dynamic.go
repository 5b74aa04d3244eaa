package gunzip

// fixed sets the tables of blocks with fixed codes (RFC 1951, 3.2.6).
func (z *Reader) fixed() {
	l := z.lengths[:numLiterals]
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	build(z.literals[:], literalBits, l, literals)
	d := z.lengths[numLiterals:]
	for i := range d {
		d[i] = 5
	}
	build(z.distances[:], distanceBits, d, distances)
}

// codeOrder is the order in which the lengths of the first code stand (3.2.7).
var codeOrder = [numCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a block and sets the tables.
func (z *Reader) dynamic() error {
	v, err := z.take(14)
	if err != nil {
		return err
	}
	numLit, numDist, numCode := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if numLit > 286 || numDist > 30 {
		return ErrData
	}
	var codeLengths [numCodes]uint8
	for _, symbol := range codeOrder[:numCode] {
		v, err := z.take(3)
		if err != nil {
			return err
		}
		codeLengths[symbol] = uint8(v)
	}
	var table [1 << codeBits]entry
	if !build(table[:], codeBits, codeLengths[:], codes) {
		return ErrData
	}
	if err := z.readLengths(table[:], z.lengths[:numLit+numDist]); err != nil {
		return err
	}
	if z.lengths[256] == 0 {
		return ErrData // the block could never end
	}
	if !build(z.literals[:], literalBits, z.lengths[:numLit], literals) ||
		!build(z.distances[:], distanceBits, z.lengths[numLit:numLit+numDist], distances) {
		return ErrData
	}
	return nil
}

// readLengths reads the lengths of both codes, which are written in a third.
func (z *Reader) readLengths(table []entry, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		if err := z.need(codeBits + 7); err != nil {
			return err
		}
		e := table[z.bits&(1<<codeBits-1)]
		if e&flagOther != 0 {
			return ErrData
		}
		z.drop(uint(e & 0xff))
		symbol := uint8(e >> 16)
		if symbol < 16 {
			lengths[i] = symbol
			i++
			continue
		}
		var value uint8
		var repeat uint32
		var err error
		switch symbol {
		case 16:
			if i == 0 {
				return ErrData
			}
			value = lengths[i-1]
			repeat, err = z.take(2)
			repeat += 3
		case 17:
			repeat, err = z.take(3)
			repeat += 3
		default:
			repeat, err = z.take(7)
			repeat += 11
		}
		if err != nil {
			return err
		}
		if int(repeat) > len(lengths)-i {
			return ErrData
		}
		for range repeat {
			lengths[i] = value
			i++
		}
	}
	return z.overrun()
}
