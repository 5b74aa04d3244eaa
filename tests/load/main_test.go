package load

import (
	"os"
	"testing"

	"berth/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
