// Reads two registers of a PLC and writes one that is not there.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func exchange(message []byte) []byte {
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=plc"
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

// What comes behind the function code. The transaction id may be the same for all: the service gives each its own.
func ask(function byte, words ...uint16) ([]byte, error) {
	message := []byte{0, 1, 0, 0, 0, byte(2 + 2*len(words)), 1, function}
	for _, word := range words {
		message = append(message, byte(word>>8), byte(word))
	}
	answer := exchange(message)
	if answer[7]&0x80 != 0 {
		return nil, fmt.Errorf("exception %d", answer[8])
	}
	return answer[8:], nil
}

func main() {
	registers, err := ask(3, 0, 2)
	if err != nil {
		panic(err)
	}
	fmt.Println(binary.BigEndian.Uint16(registers[1:]), binary.BigEndian.Uint16(registers[3:]))
	if _, err := ask(6, 9999, 1); err != nil {
		fmt.Println(err)
	}
}
