// Sends an HL7 message and prints how it was acknowledged.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func exchange(message []byte) []byte {
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=hospital"
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

func main() {
	segments := []string{
		`MSH|^~\&|LAB|EAST|ADT|WEST|20260301120000||ADT^A01|7|P|2.7`,
		"PID|1||4711||LOVELACE^ADA",
	}
	message := "\x0b" + strings.Join(segments, "\r") + "\r\x1c\r"
	answer := exchange([]byte(message))
	for _, segment := range strings.Split(string(answer[1:len(answer)-2]), "\r") {
		fields := strings.Split(segment, "|")
		if fields[0] != "MSA" {
			continue
		}
		if fields[2] != "7" {
			panic("this acknowledges " + fields[2])
		}
		fmt.Println(fields[1], fields[2])
	}
}
