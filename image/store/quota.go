package store

import "golang.org/x/sys/unix"

// room refuses content that cannot fit, before any of it is fetched.
func (s *Store) room(need int64) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(s.root.fd(), &st); err == nil && st.Bsize > 0 {
		if free := int64(st.Bavail) * st.Bsize; free < need {
			return &QuotaError{Need: need, Room: max(free, 0)}
		}
	}
	return s.underQuota(need)
}

// underQuota refuses content that the store's own quota has no room for. Processes
// that write at the same time do not see each other's part: the quota is kept to
// within what they write at once.
func (s *Store) underQuota(need int64) error {
	if s.options.Quota <= 0 || need <= 0 {
		return nil
	}
	u, err := s.Usage()
	if err != nil {
		return err
	}
	if left := s.options.Quota - u.Bytes(); left < need {
		return &QuotaError{Need: need, Room: max(left, 0), Quota: true}
	}
	return nil
}
