package specconv

import (
	"fmt"
	"strings"
)

// minVersion and maxVersion bound what `features` tells; a newer 1.x is accepted
// too, for the spec promises that a minor version breaks nothing.
const (
	minVersion = "1.0.0"
	maxVersion = "1.3.0"
)

// checkVersion refuses an ociVersion that is not SemVer 2.0.0, or not of major 1.
func checkVersion(v string) error {
	if v == "" {
		return fmt.Errorf("ociVersion: missing, expected a version like %s", maxVersion)
	}
	major, _, ok := splitVersion(v)
	if !ok {
		return fmt.Errorf("ociVersion: %q is not a version like %s", v, maxVersion)
	}
	if major != "1" {
		return fmt.Errorf("ociVersion: %s is not supported, expected %s to %s", v, minVersion, maxVersion)
	}
	return nil
}

// versionNote is worth a debug line when the config is of a newer minor version.
func versionNote(v string) string {
	_, minor, ok := splitVersion(v)
	_, known, _ := splitVersion(maxVersion)
	if !ok || len(minor) < len(known) || len(minor) == len(known) && minor <= known {
		return ""
	}
	return "ociVersion " + v + " is newer than " + maxVersion + ": fields berth does not know are ignored"
}

// splitVersion checks the grammar of semver.org and returns major and minor.
func splitVersion(v string) (major, minor string, ok bool) {
	core, build, hasBuild := strings.Cut(v, "+")
	core, pre, hasPre := strings.Cut(core, "-")
	if hasBuild && !identifiers(build, true) || hasPre && !identifiers(pre, false) {
		return "", "", false
	}
	major, rest, _ := strings.Cut(core, ".")
	minor, patch, _ := strings.Cut(rest, ".")
	return major, minor, number(major) && number(minor) && number(patch)
}

// number tells whether s is a decimal without leading zeros.
func number(s string) bool {
	return digits(s) && (len(s) == 1 || s[0] != '0')
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// identifiers checks the dot-separated words behind - (which must not have
// leading zeros when they are numbers) or behind +.
func identifiers(s string, leadingZeros bool) bool {
	for word := range strings.SplitSeq(s, ".") {
		for i := range len(word) {
			if c := word[i]; !letter(c) && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
		if word == "" || !leadingZeros && digits(word) && !number(word) {
			return false
		}
	}
	return true
}

func letter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z'
}
