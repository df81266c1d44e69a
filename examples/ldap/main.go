// Checks passwords by LDAP binds and prints their results.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func exchange(message []byte) []byte {
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=directory"
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

// An element of BER: a tag, the length of what is in it, and that.
func element(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	length := []byte{byte(len(content))}
	if len(content) >= 0x80 {
		length = []byte{0x82, byte(len(content) >> 8), byte(len(content))}
	}
	return append(append([]byte{tag}, length...), content...)
}

// Where the content of the element at a place begins and ends.
func within(data []byte, place int) (int, int) {
	start, length := place+2, int(data[place+1])
	if length >= 0x80 {
		more := length - 0x80
		length = 0
		for _, digit := range data[start : start+more] {
			length = length<<8 | int(digit)
		}
		start += more
	}
	return start, start + length
}

// The result of the bind: 0 where the password is right, 49 where it is wrong.
func bind(name, password string) byte {
	if password == "" {
		panic("an empty password binds as nobody")
	}
	request := element(0x60, element(2, []byte{3}), element(4, []byte(name)), element(0x80, []byte(password)))
	answer := exchange(element(0x30, element(2, []byte{1}), request))
	message, _ := within(answer, 0)
	_, response := within(answer, message)
	result, _ := within(answer, response)
	code, _ := within(answer, result)
	return answer[code]
}

func main() {
	for _, password := range []string{"correct horse", "wrong"} {
		fmt.Printf("%s: %d\n", password, bind("uid=ada,ou=people,dc=example,dc=org", password))
	}
}
