package gunzip

import "encoding/binary"

// decompress decodes symbols of a compressed block until the block ends, the output
// is full or more input is needed.
//
// A step takes at most 11+15 bits for three literals or fewer and then a length, and
// 48 bits for a match: with one refill each, 56 bits are enough.
func (z *Reader) decompress() error {
	for {
		z.fill(pad / 2)
		done, err := z.steps()
		if err != nil {
			return err
		}
		if err := z.overrun(); err != nil {
			return err
		}
		if done {
			z.state = atBlock
			return nil
		}
		if z.wrote >= outSize {
			return nil
		}
	}
}

// steps is the inner loop; done tells that the block has ended.
func (z *Reader) steps() (done bool, err error) {
	in, out := z.in, z.out
	pos, wrote := z.pos, z.wrote
	bits, count := z.bits, z.count
	literals, distances := &z.literals, &z.distances
	// Beyond the limit a refill of 8 bytes would be past what is known.
	limit := z.end - 8
	if z.inErr != nil {
		limit = z.end + pad/2
	}
	for pos <= limit && wrote < outSize {
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56

		e := literals[bits&(1<<literalBits-1)]
		if e&flagLiteral != 0 {
			// Up to three literals of one look-up each leave 56-33 bits.
			bits >>= e & 63
			count -= uint(e & 0xff)
			out[wrote] = byte(e >> 16)
			wrote++
			e = literals[bits&(1<<literalBits-1)]
			if e&flagLiteral != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				out[wrote] = byte(e >> 16)
				wrote++
				e = literals[bits&(1<<literalBits-1)]
				if e&flagLiteral != 0 {
					bits >>= e & 63
					count -= uint(e & 0xff)
					out[wrote] = byte(e >> 16)
					wrote++
					continue
				}
			}
			// A length: refill, for it and its distance.
			bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
			pos += int((63 - count) >> 3)
			count |= 56
		}
		if e&flagOther != 0 {
			if e>>16 >= noCode {
				bits >>= e & 63
				count -= uint(e & 0xff)
				done = e>>16 == endOfBlock
				if !done {
					err = ErrData
				}
				break
			}
			bits >>= literalBits
			count -= literalBits
			e = literals[e>>16+uint32(bits)&(1<<(e>>8&31)-1)]
			if e&flagLiteral != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				out[wrote] = byte(e >> 16)
				wrote++
				continue
			}
			if e&flagOther != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				done = e>>16 == endOfBlock
				if !done {
					err = ErrData
				}
				break
			}
		}
		// At most 15+5 bits of the length, 15+13 of the distance: 48 of 56.
		length := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&31))
		bits >>= e & 63
		count -= uint(e & 0xff)

		e = distances[bits&(1<<distanceBits-1)]
		if e&flagOther != 0 {
			if e>>16 >= noCode {
				err = ErrData
				break
			}
			bits >>= distanceBits
			count -= distanceBits
			if e = distances[e>>16+uint32(bits)&(1<<(e>>8&31)-1)]; e&flagOther != 0 {
				err = ErrData
				break
			}
		}
		distance := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&31))
		bits >>= e & 63
		count -= uint(e & 0xff)

		from := wrote - distance
		if from < z.base {
			err = ErrData
			break
		}
		if distance >= 8 {
			// Words: the last one may write past the end, where nothing is yet.
			end := wrote + length
			to := out[wrote : wrote+length+8]
			src := out[from:]
			for i := 0; i < length; i += 8 {
				binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(src[i:]))
			}
			wrote = end
			continue
		}
		wrote = repeat(out, wrote, distance, length)
	}
	z.pos, z.wrote, z.bits, z.count = pos, wrote, bits, count
	return done, err
}

// repeat copies a match that overlaps itself closely.
func repeat(out []byte, wrote, distance, length int) int {
	end := wrote + length
	from := wrote - distance
	if distance == 1 {
		c := out[from]
		for i := range out[wrote:end] {
			out[wrote+i] = c
		}
		return end
	}
	for wrote < end {
		// What is copied doubles the part that can be copied next.
		wrote += copy(out[wrote:end], out[from:wrote])
	}
	return end
}
