// Package build tests `berth build`: a table of Dockerfiles with contexts and what
// the image must then hold, in cases/*.txt. The images are read by the tests' own
// reader of OCI archives, so that a fault that building and unpacking share is seen.
//
// A file of cases looks like this:
//
//	=== a name, unique in the file
//	# words about it
//	flags: --build-arg WHO=me
//	--- Dockerfile
//	FROM base
//	COPY a /b
//	--- a mode=0600
//	the file's content
//	--- link -> a
//	--- empty/
//	--- want
//	file /b "the file's content\n" mode=0600 owner=0:0
//	env PATH=/bin
//
// Heads before the first section: flags (words as a shell splits them without
// expansion), env (NAME=VALUE of berth's environment), archive (NAME from DIR: packs
// a directory of the context and takes it out of it), needs (root, git, attributes),
// peers (not compared with buildah, and why), context (the last argument, when
// it is not the directory). In flags and context @context is the directory. In the
// Dockerfile @url is a server that has the files of www/, and project.git/ as a
// repository with the tag v1 and the commit @commit.
//
// Lines of want:
//
//	file PATH ["CONTENT"] [mode=0644] [owner=0:0] [mtime=2001-02-03T04:05:06Z]
//	dir PATH [mode=] [owner=] [mtime=]
//	link PATH TARGET
//	same PATH PATH            hard links of one file
//	absent PATH
//	config FIELD JSON         of the image's config, null when absent
//	env NAME=VALUE | noenv NAME
//	history TEXT              is part of some entry's created_by
//	nohistory TEXT
//	layers N                  above the base image
//	output TEXT | nooutput TEXT
//	error TEXT                the build fails with status 1 and says TEXT
package build
