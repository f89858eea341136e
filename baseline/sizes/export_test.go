package sizes

import "unsafe"

// RecordBytes is the memory of a record, CellBytes that of a pod's cell without its name.
const (
	RecordBytes = unsafe.Sizeof(record{})
	CellBytes   = unsafe.Sizeof(cell{})
)
