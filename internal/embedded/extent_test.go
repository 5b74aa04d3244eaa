package embedded

import (
	"debug/elf"
	"os"
	"testing"
)

// The extent of something whose place is known: the symbol of a package variable
// that is initialised data.
func TestExtent(t *testing.T) {
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Type != elf.ET_EXEC {
		t.Skip("the test binary is not linked to fixed addresses")
	}
	rodata := file.Section(".rodata")
	if rodata == nil {
		t.Skip("no .rodata")
	}
	raw, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	offset, size := extent(raw[:4096], rodata.Addr+7, 100)
	if offset != int64(rodata.Offset)+7 || size != 100 {
		t.Errorf("%d, %d, want %d, 100", offset, size, rodata.Offset+7)
	}
	for name, head := range map[string][]byte{"nothing": nil, "short": raw[:40], "no ELF": make([]byte, 4096), "cut": raw[:64]} {
		if o, n := extent(head, rodata.Addr, 1); n != 0 {
			t.Errorf("%s: %d, %d", name, o, n)
		}
	}
	if _, n := extent(raw[:4096], 1<<60, 1); n != 0 {
		t.Error("an address outside of all segments was found")
	}
}
