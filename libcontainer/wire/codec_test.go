package wire

import (
	"errors"
	"math/rand"
	"reflect"
	"syscall"
	"testing"
	"testing/quick"
)

// TestPlanRoundTrip fills plans at random, through reflection: a field that the
// codec forgets comes back as zero and fails here.
func TestPlanRoundTrip(t *testing.T) {
	check := func(want Plan) bool {
		var got Plan
		if err := got.Decode(want.Encode()); err != nil {
			t.Errorf("decode: %v", err)
			return false
		}
		return reflect.DeepEqual(got, want)
	}
	values := func(args []reflect.Value, r *rand.Rand) {
		p := reflect.New(reflect.TypeFor[Plan]()).Elem()
		fill(p, r)
		args[0] = p
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 200, Values: values}); err != nil {
		t.Fatal(err)
	}
}

// fill sets every field to something that is not zero.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), r)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.Intn(3), 4))
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.String:
		v.SetString(string([]byte{'a' + byte(r.Intn(26)), 0, 0xff})[:1+r.Intn(3)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-1 - int64(r.Int31()))
	default:
		v.SetUint(1 + r.Uint64()&(1<<v.Type().Bits()-2))
	}
}

func TestMalformedPlans(t *testing.T) {
	good := (&Plan{Hostname: "box", Process: Process{Args: []string{"sh"}}}).Encode()
	for i := range good {
		if err := new(Plan).Decode(good[:i]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", i, len(good), err)
		}
	}
	if err := new(Plan).Decode(append(good, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestConn(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := Conn{FD: pair[0]}, Conn{FD: pair[1]}
	large := make([]byte, 3<<20)
	large[len(large)-1] = 7
	sent := make(chan error, 1)
	go func() { sent <- a.Send(KindPlan, large) }()
	kind, data, err := b.Receive()
	if err != nil || kind != KindPlan || len(data) != len(large) || data[len(data)-1] != 7 {
		t.Fatalf("kind %d, %d bytes, %v", kind, len(data), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if err := a.Send(KindPlan, make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message over the limit was sent")
	}
	f := Failure{Step: "mounts", Text: "no", Errno: syscall.EROFS}
	if err := a.Send(KindFailed, f.Encode()); err != nil {
		t.Fatal(err)
	}
	_, data, err = b.Receive()
	if err != nil {
		t.Fatal(err)
	}
	var got Failure
	if err := got.Decode(data); err != nil || got != f || !errors.Is(&got, syscall.EROFS) {
		t.Errorf("%+v, %v", got, err)
	}
	syscall.Close(a.FD)
	if _, _, err := b.Receive(); !errors.Is(err, ErrClosed) {
		t.Errorf("end of stream: %v", err)
	}
	if err := b.Send(KindReady, nil); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("send to nobody: %v", err)
	}
}

func FuzzPlan(f *testing.F) {
	f.Add((&Plan{}).Encode())
	f.Add((&Plan{Rootfs: Rootfs{Mounts: []Mount{{Source: "proc", FD: -1}}}}).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, q Plan
		if p.Decode(data) != nil {
			return
		}
		// What decodes encodes to something that decodes to the same.
		if err := q.Decode(p.Encode()); err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzFailure(f *testing.F) {
	f.Add((&Failure{Step: "execve", Errno: syscall.ENOENT}).Encode())
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = new(Failure).Decode(data) // must not panic
	})
}
