package build

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ParsePorts reads what EXPOSE takes, PORT[-PORT][/PROTOCOL], and answers with one
// "PORT/PROTOCOL" for each. An address and a host port in front are checked and mean
// nothing, as with docker.
func ParsePorts(word string) ([]string, error) {
	bad := func(why string) error { return fmt.Errorf("EXPOSE %s: %s", word, why) }
	parts := strings.Split(word, ":")
	ports, proto, _ := strings.Cut(parts[len(parts)-1], "/")
	switch strings.ToLower(proto) {
	case "":
		proto = "tcp"
	case "tcp", "udp", "sctp":
		proto = strings.ToLower(proto)
	default:
		return nil, bad("the protocol is tcp, udp or sctp")
	}
	first, last, ok := portRange(ports)
	if !ok {
		return nil, bad("a port is a number up to 65535, or two with a - between them")
	}
	if len(parts) > 1 {
		host := parts[len(parts)-2]
		if _, _, ok := portRange(host); host != "" && !ok {
			return nil, bad("the host port is no port")
		}
	}
	if len(parts) > 2 {
		address := strings.Trim(strings.Join(parts[:len(parts)-2], ":"), "[]")
		if address != "" && net.ParseIP(address) == nil {
			return nil, bad("the address is none")
		}
	}
	var list []string
	for p := first; p <= last; p++ {
		list = append(list, strconv.Itoa(p)+"/"+proto)
	}
	return list, nil
}

func portRange(s string) (first, last int, ok bool) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	a, errA := strconv.ParseUint(low, 10, 16)
	z, errZ := strconv.ParseUint(high, 10, 16)
	return int(a), int(z), errA == nil && errZ == nil && a <= z
}
