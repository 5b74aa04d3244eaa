package build

import "testing"

func TestParseCases(t *testing.T) {
	cases, err := parseCases("# words\n=== one\nflags: --a 'b c'\n--- Dockerfile\nFROM x\n--- f mode=0600\ntext\n--- l -> f\n--- d/\n--- want\nfile /f\n\n# no\n=== two\n--- want\nerror x\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || len(cases[0].files) != 4 || len(cases[0].want) != 1 || cases[0].files[1].mode != 0o600 || cases[0].files[2].link != "f" || !cases[0].files[3].dir {
		t.Errorf("got %+v", cases)
	}
	if w := words(cases[0].heads["flags"][0]); len(w) != 2 || w[1] != "b c" {
		t.Errorf("words: %q", w)
	}
	if _, err := parseCases("=== x\nnonsense\n"); err == nil {
		t.Error("a line that is no head was taken")
	}
}
