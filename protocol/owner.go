package protocol

import (
	"os/user"
	"strconv"
	"sync"
)

// Owners says how LIST calls the owners of files, where the tree knows them.
type Owners string

// The values of Server.Owners.
const (
	OwnersNames  Owners = "names"  // by the names that the system has for them
	OwnersIDs    Owners = "ids"    // by their numbers
	OwnersHidden Owners = "hidden" // all are called ftp
)

// maxOwners bounds what an ownerNames remembers.
const maxOwners = 1024

// ownerNames remembers how the system calls users and groups: asking it may mean to ask a directory
// service, for each line of a listing. Many sessions use it at once.
type ownerNames struct {
	mu     sync.Mutex
	users  map[uint32]string
	groups map[uint32]string
}

func (o *ownerNames) user(uid uint32) string {
	return o.find(&o.users, uid, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (o *ownerNames) group(gid uint32) string {
	return o.find(&o.groups, gid, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// find looks a number up; what has no name is called by its number.
func (o *ownerNames) find(known *map[uint32]string, n uint32, lookup func(string) (string, error)) string {
	o.mu.Lock()
	name, ok := (*known)[n]
	o.mu.Unlock()
	if ok {
		return name
	}
	id := strconv.FormatUint(uint64(n), 10)
	name, err := lookup(id)
	if err != nil || name == "" {
		name = id
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if *known == nil || len(*known) >= maxOwners {
		*known = make(map[uint32]string)
	}
	(*known)[n] = name
	return name
}
