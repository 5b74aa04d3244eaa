package image

import "testing"

// An image goes all its ways once: pulled, run, exported, saved, loaded elsewhere and
// unpacked it is the same, and so is a tree that is imported. It is in few calls what
// other tests do in many, for machines where a call takes seconds (tests/vm).
func TestOnward(t *testing.T) {
	everybody(t, func(w *world) {
		img := w.layout(`{"Cmd": ["sh", "-c", "cd /d && echo * && echo o/* && test ! -e /f"]}`,
			[]file{{name: "f", text: "x"}, {name: "d/"}, {name: "d/a", text: "a"}, {name: "d/o/"}, {name: "d/o/low", text: "low"}},
			[]file{{name: ".wh.f"}, {name: "d/.wh.a"}, {name: "d/c", text: "c"}, {name: "d/o/"}, {name: "d/o/.wh..wh..opq"}, {name: "d/o/high", text: "high"}},
		)
		const shows = "c o\no/high"
		w.ok("pull", "--quiet", img)
		w.is(w.ok("run", "--image", name, "--pull", "never", w.id), shows)
		w.ok("export", "--image", "-o", "want.tar", name)
		w.ok("save", "-o", "saved", name)

		other := []string{"--store", w.dir + "/home/other"}
		w.ok(append(other, "load", "-q", "saved")...)
		w.ok(append(other, "export", "--image", "-o", "got.tar", name)...)
		equal(w.T, "saved", treeOf(w.T, w.dir+"/home/got.tar"), treeOf(w.T, w.dir+"/home/want.tar"))
		bundle := w.dir + "/home/bundle"
		w.ok(append(other, "unpack", name, bundle)...)
		w.ok("discard", other[1])
		w.is(w.ok("run", "--bundle", bundle, w.id), shows)
		w.ok("discard", bundle)

		rootfs := w.rootfs()
		w.ok("import", rootfs, "root:1")
		w.ok("export", "--image", "-o", "out.tar", "root:1")
		equal(w.T, "imported", treeOf(w.T, w.dir+"/home/out.tar"), treeOf(w.T, rootfs))
	})
}
