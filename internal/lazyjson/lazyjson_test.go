package lazyjson

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

type inner struct {
	A int8
	B []string `json:"b,omitempty"`
	C *inner
}

type embedded struct {
	Hidden string `json:"s"`
	Shown  uint16 `json:"u"`
}

// text has a method of its own, but none for JSON.
type text string

func (t *text) UnmarshalText(b []byte) error { *t = text("text " + string(b)); return nil }

type everything struct {
	embedded
	S    string            `json:"s"`
	I    int64             `json:"i,omitempty"`
	P    *bool             `json:"p"`
	M    map[string]string `json:"m"`
	N    map[string]inner
	L    []inner
	PP   []*inner
	R    json.RawMessage `json:"r,omitempty"`
	T    time.Time
	X    text
	F    float64
	Any  any
	Raw  []byte
	Arr  [2]int
	Skip string `json:"-"`
	_    int
}

// same reports whether both packages read data alike into T, and write it alike.
func same[T any](t *testing.T, data []byte) {
	t.Helper()
	var got, want T
	gotErr, wantErr := Unmarshal(data, &got), json.Unmarshal(data, &want)
	if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Errorf("%T from %q:\n got %+v, %v\nwant %+v, %v", got, data, got, gotErr, want, wantErr)
	}
	gotText, gotErr := Marshal(got)
	wantText, wantErr := json.Marshal(want)
	if string(gotText) != string(wantText) || (gotErr == nil) != (wantErr == nil) {
		t.Errorf("%T to text:\n got %s, %v\nwant %s, %v", got, gotText, gotErr, wantText, wantErr)
	}
}

var texts = []string{
	``, ` `, `null`, `{}`, ` {} `, `{} x`, `[]`, `1`, `{`, `{"s"`, `{"s":`, `{"s":"`, `{"s":"a"`, `{"s":"a",}`, `{"s":"a" "i":1}`, `{,}`,
	`{"s":"a","i":-1,"p":true,"m":{"b":"c","a":""},"u":7,"unknown":[1,{"x":null},"\ud800",1.5e-3,0]}`,
	`{"s":null,"i":null,"p":null,"m":null,"N":null,"L":null,"PP":null,"r":null,"T":null,"X":null,"Any":null,"Raw":null,"Arr":null}`,
	`{"N":{"a":{"A":1,"b":["x"]},"b":null},"L":[{"C":{"C":{"A":-128}}},null,{}],"PP":[null,{"A":127}]}`,
	`{"A":128}`, `{"L":[{"A":128}]}`, `{"u":65536}`, `{"u":-1}`, `{"u":-0}`, `{"i":-0}`, `{"i":01}`, `{"i":1.0}`, `{"i":1e2}`, `{"i":+1}`, `{"i":-}`, `{"i":9223372036854775808}`, `{"i":"1"}`,
	`{"s":1}`, `{"s":true}`, `{"p":1}`, `{"p":tru}`, `{"p":truex}`, `{"m":[]}`, `{"m":{"a":1}}`, `{"L":{}}`, `{"L":[1]}`, `{"L":[{}`, `{"L":[{},]}`, `{"L":[ ]}`, `{"m":{ }}`,
	`{"s":"\u0041\n\t\"\\\/\b\f\r\u00e9é"}`, `{"s":"\ud83d\ude00"}`, `{"s":"\ud800"}`, `{"s":"\u12"}`, `{"s":"\u+123"}`, `{"s":"\x"}`, "{\"s\":\"a\nb\"}", "{\"s\":\"\xff\"}", "{\"s\":\"\\u00e9\xff\"}", "{\"\xff\":1}", `{"s":"\u0000"}`, `{"s":"\`, "{\"x\":\"\xff\"}",
	`{"S":"upper","s":"lower"}`, `{"s":"lower","S":"upper"}`, `{"ſ":"long s"}`, `{"s":"a","s":"b"}`, `{"m":{"a":"1","a":"2"}}`, `{"m":{"a":"1"},"m":{"b":"2"}}`, `{"L":[{"A":1,"b":["x"]}],"L":[{"C":null}]}`,
	`{"r": {"a" : [ 1, 2 ] } }`, `{"r":1.50}`, `{"r":nul}`, `{"T":"2020-01-02T03:04:05.678Z"}`, `{"T":"yesterday"}`, `{"T":1}`, `{"X":"x"}`, `{"F":1.5}`, `{"Any":{"a":[1]}}`, `{"Raw":"aGk="}`, `{"Arr":[1,2,3]}`,
	`{"-":"x","Skip":"x","low":1}`, `{"s":"<a>&b","m":{"é":"é"}}`,
	`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`,
}

func TestUnmarshal(t *testing.T) {
	for _, s := range texts {
		data := []byte(s)
		same[everything](t, data)
		same[specs.Spec](t, data)
		same[map[string]any](t, data)
		same[map[string]string](t, data)
		same[[]string](t, data)
		same[struct{ time.Time }](t, data)
		same[any](t, data)
	}
}

// What the caller has given is kept, or merged with, as encoding/json does it.
func TestUnmarshalInto(t *testing.T) {
	for _, s := range texts {
		filled := func() *everything {
			yes := true
			return &everything{S: "old", P: &yes, M: map[string]string{"a": "old"}, L: []inner{{A: 9, B: []string{"old"}}}, R: json.RawMessage("old"), Any: 1}
		}
		got, want := filled(), filled()
		gotErr, wantErr := Unmarshal([]byte(s), got), json.Unmarshal([]byte(s), want)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v, %v", s, got, gotErr, want, wantErr)
		}
	}
	var v everything
	if Unmarshal([]byte(`{}`), v) == nil || Unmarshal([]byte(`{}`), nil) == nil || Unmarshal([]byte(`{}`), (*everything)(nil)) == nil {
		t.Error("decoded into what is no pointer")
	}
}

func TestMarshal(t *testing.T) {
	yes := true
	loop := &inner{}
	loop.C = loop
	for _, v := range []any{
		nil, 1, "a", "é", "\x00", "<", "\u2028", []string(nil), []string{}, map[string]int(nil), map[int]string{1: "a"},
		map[string]int{"b": 1, "a": 2}, &yes, (*bool)(nil), struct{}{}, inner{}, &inner{C: &inner{A: -3}}, loop, time.Unix(1, 5).UTC(), time.Time{}, &time.Time{},
		everything{M: map[string]string{"x": "y"}}, specs.State{Version: "1", Status: specs.StateRunning, Annotations: map[string]string{"k": "v"}},
		struct{ T *time.Time }{}, []any{1, "a", nil}, json.RawMessage(`{ "a":1}`), 1.5, make(chan int), []byte("a"), [2]int{1, 2},
	} {
		got, gotErr := Marshal(v)
		want, wantErr := json.Marshal(v)
		if string(got) != string(want) || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%+v:\n got %s, %v\nwant %s, %v", v, got, gotErr, want, wantErr)
		}
	}
}

// A Decoder forgets nothing wrong from one document to the next.
func TestDecoder(t *testing.T) {
	var d Decoder
	for _, s := range append(texts, texts...) {
		var got, want everything
		gotErr, wantErr := d.Unmarshal([]byte(s), &got), json.Unmarshal([]byte(s), &want)
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v, %v", s, got, gotErr, want, wantErr)
		}
	}
}

// The documents that matter are read and written without encoding/json.
func TestSure(t *testing.T) {
	data, err := os.ReadFile("../../specconv/testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	d := decoder{reader: reader{text: string(data)}, types: new(types)}
	if !d.document(reflect.ValueOf(&specs.Spec{}).Elem()) {
		t.Error("not sure of a config.json, byte", d.at)
	}
	var e encoder
	if !e.value(reflect.ValueOf(specs.State{Annotations: map[string]string{"a": "b"}})) {
		t.Error("not sure of a state")
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range texts {
		f.Add([]byte(s))
	}
	if data, err := os.ReadFile("../../specconv/testdata/docker.json"); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		same[everything](t, data)
		same[specs.Spec](t, data)
	})
}
