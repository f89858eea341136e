package identity

import "strings"

// Pods are named by their controllers, and the name tells most of the workload. The rules and their order follow what Kubernetes
// does: a ReplicaSet's hash is a 32-bit number in decimal, its digits written in a vowel-free alphabet, so only 4–9, b, c, d and f
// occur; generateName adds five letters of the whole alphabet and cuts its base at 58 characters; a CronJob's jobs end in the Unix
// minute for which they were due.

// The kinds of workload that a name can tell. Owner data may give others: any owner's kind in lower case.
const (
	Deployment  = "deployment"
	StatefulSet = "statefulset"
	DaemonSet   = "daemonset"
	ReplicaSet  = "replicaset"
	Job         = "job"
	CronJob     = "cronjob"
	Static      = "static"
	Generated   = "generated" // a DaemonSet or a Job: their pods' names look alike
	BarePod     = "pod"       // a pod that nothing owns
)

const (
	podNameMax = 63
	suffixLen  = 5 // of generateName
)

// The letters of names, as bit sets: which of a byte's values below 128 belong.
var (
	suffixLetters = letters("bcdfghjklmnpqrstvwxz2456789")
	hashLetters   = letters("456789bcdf")
	digits        = letters("0123456789")
)

type letterSet [2]uint64

func letters(s string) (l letterSet) {
	for i := range len(s) {
		l[s[i]>>6] |= 1 << (s[i] & 63)
	}
	return l
}

// all reports whether s consists of the letters only.
func (l letterSet) all(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 128 || l[c>>6]&(1<<(c&63)) == 0 {
			return false
		}
	}
	return true
}

// any reports whether s holds one of the letters.
func (l letterSet) any(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 128 && l[c>>6]&(1<<(c&63)) != 0 {
			return true
		}
	}
	return false
}

// WorkloadOf returns the workload that a pod's name tells, before or without owner data, and the workload's kind: deployment,
// cronjob, statefulset, generated (a DaemonSet or a Job) or pod (no owner that the name shows). sure is false when the name was
// cut at 63 characters: the rest of the base is unknown then. Static pods, whose names end in their node's, are told only by
// somebody who knows the nodes: "etcd-node-1" is taken for a StatefulSet here.
func WorkloadOf(pod string) (base, kind string, sure bool) {
	head, tail, ok := cutLast(pod)
	generated := ok && len(tail) == suffixLen && suffixLetters.all(tail)
	if generated {
		if set, hash, ok := cutLast(head); ok {
			switch {
			case len(hash) >= 8 && len(hash) <= 10 && hashLetters.all(hash):
				return set, Deployment, true
			case cronMinute(hash):
				return set, CronJob, true
			}
		}
	}
	if len(pod) == podNameMax {
		return cutBase(pod[:podNameMax-suffixLen]), Generated, false
	}
	if generated {
		// One hash in five hundred is shorter than eight. Six or seven letters of its alphabet with a digit among them are no word.
		if set, hash, ok := cutLast(head); ok && (len(hash) == 6 || len(hash) == 7) && hashLetters.all(hash) && digits.any(hash) {
			return set, Deployment, true
		}
		return head, Generated, true
	}
	if ok && len(tail) <= 4 && len(tail) > 0 && digits.all(tail) {
		return head, StatefulSet, true
	}
	return pod, BarePod, true
}

// cutLast splits s at its last dash. ok is false when either side would be empty.
func cutLast(s string) (head, tail string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 || i == len(s)-1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// cronMinute reports whether s is a Unix minute of the years 2019 to 2034.
func cronMinute(s string) bool {
	if len(s) != 8 || !digits.all(s) {
		return false
	}
	return s[0] == '2' && s[1] >= '6' || s[0] == '3' && s[1] <= '3'
}

// cutBase takes what is left of a ReplicaSet's hash from a name that was cut.
func cutBase(s string) string {
	if head, tail, ok := cutLast(s); ok && len(tail) <= 10 && hashLetters.all(tail) {
		return head
	}
	return strings.TrimRight(s, "-.")
}

// setBase returns the Deployment that a ReplicaSet's name tells.
func setBase(replicaSet string) (string, bool) {
	head, tail, ok := cutLast(replicaSet)
	if ok && len(tail) <= 10 && hashLetters.all(tail) {
		return head, true
	}
	return replicaSet, false
}

// jobBase returns the CronJob that a Job's name tells.
func jobBase(job string) (string, bool) {
	head, tail, ok := cutLast(job)
	if ok && cronMinute(tail) {
		return head, true
	}
	return job, false
}
