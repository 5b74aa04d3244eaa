// Package accounts reads users, as a person names them, and the files that say who
// they are: passwd(5) and group(5) of a container or an image, and the host's
// subuid(5). The files of a container are hostile; nothing of the host's name
// service is asked, and no library of the container is loaded.
//
// Runs: parent, and the image program.
package accounts
