package main

import (
	"math/rand/v2"
	"sync"
)

// blockSize is what uploads are made of: the smallest part of a multipart upload.
const blockSize = 5 << 20

// content returns a block of bytes that cannot be compressed. Longer files repeat it.
var content = sync.OnceValue(func() []byte {
	b := make([]byte, blockSize)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
})
