package first

const sysPrlimit64 = 302
