// Sets a key of memcached and gets it: each command is one request.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func ask(command string) string {
	url := os.Getenv("SOCKPOOL_URL") + "/v1/exchange?target=memo"
	request, err := http.NewRequest("POST", url, strings.NewReader(command))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SOCKPOOL_TOKEN"))
	answer, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		panic(fmt.Sprint(answer.Status, " ", string(text), " ", err))
	}
	return string(text)
}

func main() {
	value := "hello"
	fmt.Print(ask(fmt.Sprintf("set greeting 0 60 %d\r\n%s\r\n", len(value), value)))
	fmt.Print(ask("get greeting\r\n"))
}
