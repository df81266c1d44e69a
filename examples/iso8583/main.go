// Buys for 50.00 and prints type, response code and trace number of the answer.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func exchange(message []byte) []byte {
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=bank"
	request, err := http.NewRequest("POST", url, bytes.NewReader(message))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SOCKPOOL_TOKEN"))
	answer, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	reply, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		panic(fmt.Sprint(answer.Status, " ", string(reply), " ", err))
	}
	return reply
}

// How long the fields are that have a fixed length; field 2 begins with its own.
var lengths = map[int]int{3: 6, 4: 12, 7: 10, 11: 6, 39: 2, 41: 8, 49: 3}

func encode(kind string, fields map[int]string) []byte {
	numbers := make([]int, 0, len(fields))
	for field := range fields {
		numbers = append(numbers, field)
	}
	sort.Ints(numbers)
	bitmap := [16]byte{0x80}
	texts := ""
	for _, field := range numbers {
		bitmap[(field-1)/8] |= 0x80 >> ((field - 1) % 8)
		if field == 2 {
			texts += fmt.Sprintf("%02d", len(fields[field]))
		}
		texts += fields[field]
	}
	message := kind + string(bitmap[:]) + texts
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func decode(message []byte) (string, map[int]string) {
	fields := map[int]string{}
	place := 22
	for field := 2; field <= 128; field++ {
		if message[6+(field-1)/8]&(0x80>>((field-1)%8)) != 0 {
			fields[field] = string(message[place : place+lengths[field]])
			place += lengths[field]
		}
	}
	return string(message[2:6]), fields
}

func main() {
	kind, fields := decode(exchange(encode("0200", map[int]string{
		2:  "4761739001010119",
		3:  "000000",
		4:  "000000005000",
		7:  "0301120000",
		11: "000042",
		41: "TERM0001",
		49: "840",
	})))
	fmt.Println(kind, fields[39], fields[11])
}
