package notify

import (
	"errors"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// CopyOutbox puts the outbox of one file, with all that waits for receivers, in the place of that of another. Nobody may have either open as an Outbox that runs.
func CopyOutbox(from, to *bolt.DB) error {
	return from.View(func(r *bolt.Tx) error {
		b := r.Bucket(bucketName)
		if b == nil {
			return nil
		}
		return to.Update(func(w *bolt.Tx) error {
			if err := w.DeleteBucket(bucketName); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
				return err
			}
			out, err := w.CreateBucket(bucketName)
			if err != nil {
				return err
			}
			return copyBucket(b, out)
		})
	})
}

func copyBucket(from, to *bolt.Bucket) error {
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	return from.ForEach(func(k, v []byte) error {
		if v != nil {
			return to.Put(k, v)
		}
		out, err := to.CreateBucket(k)
		if err != nil {
			return err
		}
		return copyBucket(from.Bucket(k), out)
	})
}
