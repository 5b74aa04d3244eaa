package linux

// System calls added since v5.1 have one number on every architecture.
const (
	sysPidfdSendSignal = 424
	sysOpenTree        = 428
	sysMoveMount       = 429
	sysFsopen          = 430
	sysFsconfig        = 431
	sysFsmount         = 432
	sysPidfdOpen       = 434
	sysCloseRange      = 436
	sysOpenat2         = 437
	sysMountSetattr    = 442

	sysLandlockCreateRuleset = 444
	sysLandlockAddRule       = 445
	sysLandlockRestrictSelf  = 446

	sysListmount = 458
)
